"""An examined bundle on its way into the database, one step after the other, in the transaction of who applies it."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import date, datetime
from typing import Any, Final, NoReturn

from sqlalchemy import select, update
from sqlalchemy.engine import Connection

from chalicelib.access.caller import Caller
from chalicelib.deliveries import targets
from chalicelib.errors import Fault, InvalidInput, NotPermitted, Unprocessable
from chalicelib.partners import directory
from chalicelib.partners.directory import Partner
from chalicelib.partners.members import enrolling
from chalicelib.partners.models.partners import partner as partner_table
from chalicelib.partners.onboarding.manifest import Bundle, Document
from chalicelib.partners.onboarding.plans import Action, Step
from chalicelib.partners.programs import programs
from chalicelib.partners.programs.programs import Program, ProgramSpec
from chalicelib.rules import by_files, canonical, catalogue, code_tables, gates, money_tables, rulesets, snapshots
from chalicelib.rules.activation import Backtested
from chalicelib.rules.gates import GatesClosed
from chalicelib.rules.rulesets import SavedVersion
from chalicelib.rules.snapshots import RulesetSnapshot
from chalicelib.settings import settings

#: A second person's word is missing, does not hold any more, or lacks the back-test that it must be bound to.
_AWAITED: Final = frozenset({"approval_required", "approval_void", "backtest_missing"})
#: What of a program there says who earns points, how many, from when on, and how long they last.
_MONEY: Final = frozenset({"ruleset_code", "enrolment", "effective_from", "lots", "terms"})
#: What a manifest says of a target; the rest is how the target has fared.
_OF_MANIFEST: Final = (
    "connector", "config", "secret_name", "mapping_code", "status",
    "inflight_max", "batch_max", "timeout_s", "attempts_max", "age_max_s",
)  # fmt: skip


class BundleRefused(InvalidInput):
    """Something in the bundle is wrong; ``faults`` has every place, as JSON Pointers into the bundle."""

    code = "bundle_refused"


def refuse(faults: Sequence[Fault]) -> NoReturn:
    """Raise BundleRefused for these places."""
    count = "One place" if len(faults) == 1 else f"{len(faults)} places"
    raise BundleRefused(f"{count} of the bundle cannot be used; nothing was changed.", faults=faults)


class Application:
    """One examined bundle on its way into the database; ``steps`` grow as it goes.

    ``second``: this hub asks for a second person where money changes.
    """

    def __init__(
        self, db: Connection, bundle: Bundle, backtested: Backtested | None, caller: Caller, now: datetime
    ) -> None:
        self.db = db
        self.bundle = bundle
        self.backtested = backtested
        self.caller = caller
        self.now = now
        self.second = settings().rule_approval == "required"
        self.steps: list[Step] = []

    def run(self, known: Partner | None) -> list[Step]:
        """Apply everything, in the order in which one thing needs another. Raises BundleRefused for closed gates."""
        partner = self._partner(known)
        for document in self.bundle.code_tables:
            self._code_table(partner, document)
        shut: list[Fault] = []
        for document in self.bundle.rules:
            shut += self._rule(partner, document)
        if shut:
            refuse(shut)
        stored = programs.of_partner(self.db, partner.id)
        for program in self.bundle.manifest.programs:
            self._program(partner, program.spec(), stored.get(program.code))
        there = {target.code: asdict(target) for target in targets.of_partner(self.db, partner.id)}
        for target in self.bundle.manifest.targets:
            change = targets.upsert(self.db, partner.id, target, caller=self.caller, now=self.now)
            seen = {name: there[change.code][name] for name in _OF_MANIFEST} if change.code in there else None
            self.steps.append(Step("target", change.code, change.kind, change.before, change.after, seen=seen))
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
            self._keep_manifest(partner)
        else:
            partner = directory.change(self.db, known, contacts=contacts, caller=self.caller, now=self.now, **described)
            before = {"name": known.name, "industry": known.industry}
            action: Action = "unchanged" if partner == known else "change"
            changed = [name for name in described if before[name] != described[name]]
            seen = self._keep_manifest(partner)
            was, becomes = {n: before[n] for n in changed}, {n: described[n] for n in changed}
            self.steps.append(Step("partner", partner.code, action, was, becomes, seen=seen))
        return partner

    def _keep_manifest(self, partner: Partner) -> bytes | None:
        """Keep the manifest as it was written; the hash of the one before."""
        text = canonical.text(self.bundle.raw_manifest)
        digest = canonical.digest(text)
        column = partner_table.c
        before: bytes | None = self.db.execute(select(column.manifest_hash).where(column.id == partner.id)).scalar_one()
        if before != digest:
            kept = {"manifest": text, "manifest_hash": digest}
            self.db.execute(update(partner_table).where(column.id == partner.id).values(**kept))
        return before

    def _code_table(self, partner: Partner, document: Document) -> None:
        before = snapshots.of_table(self.db, document.code)
        owner = None if document.shared else partner.id
        changed = code_tables.apply(self.db, document.content, partner_id=owner, caller=self.caller, now=self.now)
        action: Action = "unchanged" if not changed else "create" if before is None else "change"
        told = snapshots.told(before, code_tables.check(document.content)) if changed else []
        asking = money_tables.looked_up_by_live(self.db, document.code) if self.second and action == "change" else []
        told += [f"{each} looks up points in it" for each in asking]
        seen = None if before is None else before.content_hash
        self.steps.append(
            Step("code_table", document.code, action, changes=told, needs_approval=bool(asking), seen=seen)
        )

    def _rule(self, partner: Partner, document: Document) -> list[Fault]:
        """Save a rule and let it decide; what keeps it from that, as places of the bundle."""
        owner = None if document.shared else partner.id
        saved = rulesets.save(self.db, document.content, partner_id=owner, caller=self.caller, now=self.now)
        if saved.created:
            version = {"version": saved.number, "content_hash": saved.content_hash.hex()}
            first = saved.number == 1
            was = {} if first else {"version": saved.number - 1}
            changes = [] if first else self._told(document, saved.number - 1)
            self.steps.append(Step("ruleset", document.code, "create" if first else "change", was, version, changes))
        else:
            self.steps.append(Step("ruleset", document.code, "unchanged", seen=saved.number))
        # Saving has locked the ruleset: what is seen here holds until this transaction ends.
        history = catalogue.history(self.db, document.code)
        there = snapshots.of_history(history)
        since = self._since(document)
        held = by_files.verdict(history, saved.number, since)
        if held is not None and held.held == "decides":
            self.steps.append(Step("activation", document.code, "unchanged", seen=there))
            return []
        before: dict[str, Any] = {}
        if there.decides:
            before = {"version": there.decides_last, "decides": _stretches(there)}
        after: dict[str, Any] = {"version": saved.number, "effective_from": since.isoformat()}
        try:
            action = self._decide(document, saved, since) if held is None else self._held(held, saved)
        except GatesClosed as error:
            return [
                Fault(f"{document.pointer}{fault.pointer}", fault.code, f"{document.code}: {fault.message}")
                for fault in error.faults
            ]
        if action == "change":
            after["decides"] = _stretches(snapshots.of_ruleset(self.db, document.code))
            action = "change" if before else "create"
        elif before:
            after["decides"] = before["decides"]
        told = [] if held is None else [held.sentence]
        self.steps.append(Step("activation", document.code, action, before, after, told, seen=there))
        return []

    def _decide(self, document: Document, saved: SavedVersion, since: date) -> Action:
        """Let a version decide, unless somebody must approve it first. Raises GatesClosed."""
        try:
            activated = rulesets.activate(
                self.db,
                document.code,
                saved.version_id,
                effective_from=since,
                by_file=True,
                backtested=self.backtested,
                caller=self.caller,
                now=self.now,
            )
        except (NotPermitted, Unprocessable) as error:
            if error.code not in _AWAITED:
                raise
            return "awaits_approval"
        return "change" if activated else "unchanged"

    def _held(self, held: by_files.Verdict, saved: SavedVersion) -> Action:
        """Why files do not let a version decide. Raises GatesClosed for one that a person is to promote and cannot."""
        match held.held:
            case "by_hand":
                gates.examine(self.db, rulesets.version(self.db, saved.version_id)).require()
                return "awaits_promotion"
            case "withdrawn" | "behind" as action:
                return action
        return "unchanged"

    def _told(self, document: Document, latest: int) -> list[str]:
        """What the document decides otherwise than the version before it, in sentences."""
        # Comparing takes the compiler's room along: only a plan with a changed rule needs it.
        from chalicelib.rules.diffing import comparing

        number = snapshots.of_ruleset(self.db, document.code).decides_last or latest
        earlier = rulesets.by_number(self.db, document.code, number)
        return snapshots.cut([change.what for change in comparing.diff(earlier.document, document.content)], "changes")

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
        was, becomes = {n: before[n] for n in changed}, {n: after[n] for n in changed}
        money = self.second and not _MONEY.isdisjoint(changed)
        self.steps.append(Step("program", spec.code, action, was, becomes, needs_approval=money, seen=before))
        if "effective_from" in changed:
            self._enrol(program, min(known.effective_from, spec.effective_from))
        elif "enrolment" in changed:
            # Another rule decides from today on: the past was decided by the one before.
            self._enrol(program, programs.business_date(self.now, program))

    def _enrol(self, program: Program, since: date) -> None:
        changed = enrolling.enrol_members(self.db, program, since=since, now=self.now)
        if changed:
            self.steps.append(Step("enrolments", program.code, "change", after={"periods": changed}))


def _stretches(there: RulesetSnapshot) -> list[dict[str, Any]]:
    """The whole timeline of a ruleset: from which day on which version decides."""
    return [{"effective_from": start.isoformat(), "version": number} for start, number in there.decides]


def _described(spec: ProgramSpec) -> dict[str, Any]:
    described = {name: getattr(spec, name) for name in ProgramSpec.__slots__ if name != "code"}
    return described | {"effective_from": spec.effective_from.isoformat()}
