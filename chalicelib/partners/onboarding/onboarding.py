"""Onboarding: one bundle of JSON makes a partner live, or changes what it is, in one transaction.

``apply`` examines the whole bundle first and writes nothing when anything is wrong with it. Applying a bundle again
changes nothing. A dry run does everything and takes it back, so its plan is what applying would do.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.engine import Connection

from chalicelib.access.caller import Caller
from chalicelib.deliveries import targets
from chalicelib.errors import NotPermitted
from chalicelib.language.faults import Report, nearest, shown
from chalicelib.partners import directory
from chalicelib.partners.directory import Partner
from chalicelib.partners.models.partners import partner as partner_table
from chalicelib.partners.onboarding import plans
from chalicelib.partners.onboarding.applying import Application, BundleRefused, refuse
from chalicelib.partners.onboarding.manifest import Bundle, Document, Manifest, examine
from chalicelib.partners.onboarding.plans import Plan, Step
from chalicelib.partners.onboarding.program_setup import told, usable_rulesets
from chalicelib.partners.programs import programs, several_programs
from chalicelib.partners.programs.programs import FIXED
from chalicelib.rules import code_tables
from chalicelib.rules.activation import Backtested
from chalicelib.storage.ids import new_id

__all__ = ["BundleRefused", "Plan", "Step", "apply"]


def apply(
    db: Connection,
    bundle: Mapping[str, Any],
    *,
    code: str | None = None,
    shared: bool = True,
    backtested: Backtested | None = None,
    alone: bool = True,
    dry_run: bool,
    caller: Caller,
    now: datetime,
) -> Plan:
    """Make the partner what the bundle says: ``{"manifest", "layouts", "rulesets", "code_tables"}``.

    Documents were read by ``language.parse_json``. What the bundle leaves out stays as it is. A ruleset decides from
    its ``effective.from`` on, else from the first day of the programs that use it; a layout or mapping always.
    ``code``, when given, is the partner the bundle must be about; ``shared`` False refuses documents that other
    partners use as well; ``backtested`` knows the back-tests that approvals are bound to. ``alone`` False: the caller
    sees to it that a second person has approved the steps that need that. Raises BundleRefused, and NotPermitted
    (``approval_required``) where a bundle that is applied alone has such steps.
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
        refuse(told(report))
    # Some faults show only when a rule is to decide, such as a golden case that is red: then all is taken back.
    savepoint = db.begin_nested()
    try:
        plan = Plan(examined.manifest.code, dry_run, Application(db, examined, backtested, caller, now).run(known))
        if alone and not dry_run:
            _require_nothing_to_approve(plan)
    except BaseException:
        savepoint.rollback()
        raise
    if dry_run:
        savepoint.rollback()
    else:
        savepoint.commit()
    return plan


def _require_nothing_to_approve(plan: Plan) -> None:
    steps = plans.money([plan])
    if steps:
        raise NotPermitted(
            "This changes money otherwise than by a rule, so another person must approve it, as a plan: POST"
            " /v1/config/plan, its approval, POST /v1/config/apply (`hub rules plan`, `approve`, `apply`).",
            code="approval_required",
            faults=steps,
        )


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
        "eligibility": [
            (f"/manifest/programs/{number}/terms/eligibility", (program.terms.eligibility,))
            for number, program in enumerate(manifest.programs)
            if program.terms.eligibility is not None
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
