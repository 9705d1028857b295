"""Onboarding: one bundle of JSON makes a partner live, or changes what it is, in one transaction.

``apply`` examines the whole bundle first and writes nothing when anything is wrong with it. Applying a bundle again
changes nothing. A dry run does everything and takes it back, so its plan is what applying would do.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final, Literal, TypeAlias

from sqlalchemy import select, update
from sqlalchemy.engine import Connection

from chalicelib.access.caller import Caller
from chalicelib.deliveries import targets
from chalicelib.errors import InvalidInput, NotPermitted
from chalicelib.language.faults import Report, nearest, shown
from chalicelib.partners import directory, enrolling, programs, several_programs
from chalicelib.partners.directory import Partner
from chalicelib.partners.manifest import Bundle, Document, Manifest, examine
from chalicelib.partners.models import partner as partner_table
from chalicelib.partners.program_setup import told, usable_rulesets
from chalicelib.partners.programs import FIXED, Program, ProgramSpec
from chalicelib.rules import canonical, code_tables, rulesets
from chalicelib.storage.ids import new_id

Action: TypeAlias = Literal["create", "change", "unchanged", "awaits_approval"]
_APPROVAL_MISSING: Final = "approval_required"


@dataclass(frozen=True, slots=True)
class Step:
    """What happens to one object. ``before`` and ``after`` hold what changes and nothing personal.

    ``awaits_approval``: the version is stored, and decides once a second person has approved it.
    """

    kind: Literal["partner", "code_table", "ruleset", "activation", "program", "enrolments", "target"]
    code: str
    action: Action
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plan:
    """What applying a bundle did, or in a dry run would do."""

    partner: str
    dry_run: bool
    steps: Sequence[Step]

    @property
    def changed(self) -> bool:
        """Whether anything is not as it was."""
        return any(step.action in {"create", "change"} for step in self.steps)


class BundleRefused(InvalidInput):
    """Something in the bundle is wrong; ``faults`` has every place, as JSON Pointers into the bundle."""

    code = "bundle_refused"


def apply(
    db: Connection,
    bundle: Mapping[str, Any],
    *,
    code: str | None = None,
    shared: bool = True,
    dry_run: bool,
    caller: Caller,
    now: datetime,
) -> Plan:
    """Make the partner what the bundle says: ``{"manifest", "layouts", "rulesets", "code_tables"}``.

    Documents were read by ``language.parse_json``. What the bundle leaves out stays as it is. A ruleset decides from
    its ``effective.from`` on, else from the first day of the programs that use it; a layout or mapping always.
    ``code``, when given, is the partner the bundle must be about; ``shared`` False refuses documents that other
    partners use as well. Raises BundleRefused.
    """
    report = Report()
    examined = examine(bundle, report=report)
    if examined is not None:
        if code is not None and examined.manifest.code != code:
            report.add("/manifest/code", "other_partner", "not the partner of the path", expected=code, found="another")
        for document in (*examined.code_tables, *examined.rules) if not shared else ():
            _examine_owner(document, report)
        # Whoever applies bundles of one partner at once takes turns here.
        known = _locked(db, examined.manifest.code)
        _examine_against(db, examined, known, report, now=now)
    if report.faults or examined is None:
        count = "One place" if len(report.faults) == 1 else f"{len(report.faults)} places"
        raise BundleRefused(f"{count} of the bundle cannot be used; nothing was changed.", faults=told(report))
    savepoint = db.begin_nested() if dry_run else None
    try:
        steps = _Application(db, examined, caller, now).run(known)
    finally:
        if savepoint is not None:
            savepoint.rollback()
    return Plan(examined.manifest.code, dry_run, steps)


def _locked(db: Connection, code: str) -> Partner | None:
    db.execute(select(partner_table.c.id).where(partner_table.c.code == code).with_for_update())
    return directory.by_code(db, code)


def _examine_against(db: Connection, bundle: Bundle, known: Partner | None, report: Report, *, now: datetime) -> None:
    """Report what does not fit to what is stored: fixed properties, references to nothing."""
    manifest = bundle.manifest
    stored = {} if known is None else programs.of_partner(db, known.id)
    if known is not None and known.time_zone != manifest.time_zone:
        _fixed("/manifest/time_zone", known.time_zone, manifest.time_zone, report)
    for number, program in enumerate(manifest.programs):
        earlier = stored.get(program.code)
        for name in FIXED if earlier is not None else ():
            before, after = getattr(earlier, name), getattr(program, name)
            if before != after:
                _fixed(f"/manifest/programs/{number}/{name}", before, after, report)
    # An id that no partner has: what belongs to any partner is foreign to one that does not exist yet.
    partner_id = known.id if known is not None else new_id()
    usable = usable_rulesets(db, partner_id)
    for kind, wanted in _references(manifest).items():
        there = usable.get(kind, set()) | {document.code for document in bundle.rules if document.kind == kind}
        for pointer, names in wanted:
            if not there & set(names):
                report.unknown(pointer, kind, names[-1], there)
    several_programs.examine(
        db,
        _mappings(db, manifest, known),
        stored.keys() | {program.code for program in manifest.programs},
        documents={document.code: document.content for document in bundle.rules if document.kind == "mapping"},
        report=report,
        now=now,
    )
    tables = {document.code for document in bundle.code_tables}
    for pointer, looked_up in bundle.looked_up.items():
        for name in code_tables.foreign(db, looked_up - tables, partner_id):
            report.add(
                pointer,
                "unknown_code_table",
                f"it looks up in the code table {shown(name)}, which is not there",
                expected="a code table of the partner or a shared one",
                found=name,
                suggestion=nearest(name, tables),
            )


def _mappings(db: Connection, manifest: Manifest, known: Partner | None) -> list[tuple[str, str]]:
    """The mappings of all targets that the partner will have, each with the place in the bundle that is to blame."""
    named = {target.get("code") for target in manifest.targets}
    kept = [] if known is None else [target for target in targets.of_partner(db, known.id) if target.code not in named]
    return [
        (f"/manifest/targets/{number}/mapping", str(target.get("mapping")))
        for number, target in enumerate(manifest.targets)
    ] + [("/manifest/programs", target.mapping_code) for target in kept]


def _examine_owner(document: Document, report: Report) -> None:
    if document.shared:
        report.add(
            f"{document.pointer}/partner",
            "shared_document",
            "every partner uses this document: who is bound to one partner cannot change it",
            expected="a document of the partner",
            found="null",
        )


def _fixed(pointer: str, before: object, after: object, report: Report) -> None:
    message = "what is stored already would mean something else: this cannot be changed"
    report.add(pointer, "is_fixed", message, expected=shown(before), found=shown(after))


def _references(manifest: Manifest) -> dict[str, list[tuple[str, tuple[str, ...]]]]:
    """By kind of ruleset: where the manifest names one, and the codes that the name may stand for."""
    return {
        "accrual": [
            (f"/manifest/programs/{number}/ruleset", (program.ruleset,))
            for number, program in enumerate(manifest.programs)
        ],
        "layout": [
            (f"/manifest/layouts/{number}", (f"{manifest.code}.{name}", name))
            for number, name in enumerate(manifest.layouts)
        ],
        "mapping": [
            (f"/manifest/targets/{number}/mapping", (str(target.get("mapping")),))
            for number, target in enumerate(manifest.targets)
        ],
    }


class _Application:
    """One bundle on its way into the database; ``steps`` grow as it goes."""

    def __init__(self, db: Connection, bundle: Bundle, caller: Caller, now: datetime) -> None:
        self.db = db
        self.bundle = bundle
        self.caller = caller
        self.now = now
        self.steps: list[Step] = []

    def run(self, known: Partner | None) -> list[Step]:
        """Apply everything, in the order in which one thing needs another."""
        partner = self._partner(known)
        for document in self.bundle.code_tables:
            self._code_table(partner, document)
        for document in self.bundle.rules:
            self._rule(partner, document)
        stored = programs.of_partner(self.db, partner.id)
        for program in self.bundle.manifest.programs:
            self._program(partner, program.spec(), stored.get(program.code))
        for target in self.bundle.manifest.targets:
            change = targets.upsert(self.db, partner.id, target, caller=self.caller, now=self.now)
            self.steps.append(Step("target", change.code, change.kind, change.before, change.after))
        return self.steps

    def _partner(self, known: Partner | None) -> Partner:
        manifest = self.bundle.manifest
        described: dict[str, Any] = {"name": manifest.name, "industry": manifest.industry}
        contacts = [contact.model_dump(exclude_none=True) for contact in manifest.contacts]
        if known is None:
            partner = directory.create(
                self.db,
                code=manifest.code,
                time_zone=manifest.time_zone,
                contacts=contacts,
                caller=self.caller,
                now=self.now,
                **described,
            )
            self.steps.append(Step("partner", partner.code, "create", after=described))
        else:
            partner = directory.change(self.db, known, contacts=contacts, caller=self.caller, now=self.now, **described)
            before = {"name": known.name, "industry": known.industry}
            action: Action = "unchanged" if partner == known else "change"
            changed = [name for name in described if before[name] != described[name]]
            self.steps.append(
                Step(
                    "partner", partner.code, action, {n: before[n] for n in changed}, {n: described[n] for n in changed}
                )
            )
        self._keep_manifest(partner)
        return partner

    def _keep_manifest(self, partner: Partner) -> None:
        text = canonical.text(self.bundle.raw_manifest)
        digest = canonical.digest(text)
        column = partner_table.c
        if self.db.execute(select(column.manifest_hash).where(column.id == partner.id)).scalar_one() != digest:
            kept = {"manifest": text, "manifest_hash": digest}
            self.db.execute(update(partner_table).where(column.id == partner.id).values(**kept))

    def _code_table(self, partner: Partner, document: Document) -> None:
        existed = not code_tables.foreign(self.db, [document.code], partner.id)
        owner = None if document.shared else partner.id
        changed = code_tables.apply(self.db, document.content, partner_id=owner, caller=self.caller, now=self.now)
        action: Action = "unchanged" if not changed else "change" if existed else "create"
        self.steps.append(Step("code_table", document.code, action))

    def _rule(self, partner: Partner, document: Document) -> None:
        owner = None if document.shared else partner.id
        saved = rulesets.save(self.db, document.content, partner_id=owner, caller=self.caller, now=self.now)
        if saved.created:
            version = {"version": saved.number, "content_hash": saved.content_hash.hex()}
            first = saved.number == 1
            before = {} if first else {"version": saved.number - 1}
            self.steps.append(Step("ruleset", document.code, "create" if first else "change", before, version))
        else:
            self.steps.append(Step("ruleset", document.code, "unchanged"))
        since = self._since(document)
        live = rulesets.timeline(self.db, document.code, known_at=self.now).on(since)
        before = {} if live is None else {"version": live.number}
        after = {"version": saved.number, "effective_from": since.isoformat()}
        try:
            activated = rulesets.activate(
                self.db, document.code, saved.version_id, effective_from=since, caller=self.caller, now=self.now
            )
        except NotPermitted as error:
            if error.code != _APPROVAL_MISSING:
                raise
            self.steps.append(Step("activation", document.code, "awaits_approval", before, after))
        else:
            if activated:
                self.steps.append(Step("activation", document.code, "change" if before else "create", before, after))
            else:
                self.steps.append(Step("activation", document.code, "unchanged"))

    def _since(self, document: Document) -> date:
        if document.since is not None:
            return document.since
        using = [each.effective_from for each in self.bundle.manifest.programs if each.ruleset == document.code]
        return min(using, default=code_tables.ALWAYS)

    def _program(self, partner: Partner, spec: ProgramSpec, known: Program | None) -> None:
        if known is None:
            program = programs.create(self.db, partner.id, spec, caller=self.caller, now=self.now)
            self.steps.append(Step("program", spec.code, "create", after=_described(spec)))
            self._enrol(program, program.effective_from)
            return
        program = programs.change(self.db, known, spec, caller=self.caller, now=self.now)
        before, after = _described(programs.spec_of(known)), _described(spec)
        changed = [name for name in after if before[name] != after[name]]
        action: Action = "change" if changed else "unchanged"
        self.steps.append(
            Step("program", spec.code, action, {n: before[n] for n in changed}, {n: after[n] for n in changed})
        )
        if "effective_from" in changed:
            self._enrol(program, min(known.effective_from, spec.effective_from))
        elif "enrolment" in changed:
            # Another rule decides from today on: the past was decided by the one before.
            self._enrol(program, programs.business_date(self.now, program))

    def _enrol(self, program: Program, since: date) -> None:
        changed = enrolling.enrol_members(self.db, program, since=since, now=self.now)
        if changed:
            self.steps.append(Step("enrolments", program.code, "change", after={"periods": changed}))


def _described(spec: ProgramSpec) -> dict[str, Any]:
    described = {name: getattr(spec, name) for name in ProgramSpec.__slots__ if name != "code"}
    return described | {"effective_from": spec.effective_from.isoformat()}
