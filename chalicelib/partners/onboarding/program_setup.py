"""A program of its own, outside a manifest: examined against what is stored, created, and its members enrolled."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.engine import Connection

from chalicelib.access.caller import Caller
from chalicelib.deliveries import targets
from chalicelib.errors import Conflict, Fault, InvalidInput
from chalicelib.language.faults import Report
from chalicelib.partners.directory import Partner, require_active
from chalicelib.partners.members import enrolling
from chalicelib.partners.onboarding.manifest import ProgramDocument, examine_program
from chalicelib.partners.programs import programs, several_programs
from chalicelib.partners.programs.programs import Program
from chalicelib.rules.models import ruleset


def create(
    db: Connection, partner: Partner, document: ProgramDocument, *, caller: Caller, now: datetime
) -> tuple[Program, bool]:
    """The program as the document describes it, and whether it is new.

    Raises InvalidInput with every fault, Conflict when the partner has another program of that code, Unprocessable when
    the partner is not active.
    """
    require_active(partner)
    report = Report()
    examine_program(document, "", report)
    usable = usable_rulesets(db, partner.id)
    for pointer, kind, code in (
        ("/ruleset", "accrual", document.ruleset),
        ("/terms/eligibility", "eligibility", document.terms.eligibility),
    ):
        if code is not None and code not in usable.get(kind, set()):
            report.unknown(pointer, f"{kind} ruleset", code, sorted(usable.get(kind, set())))
    stored = programs.of_partner(db, partner.id)
    several_programs.examine(
        db,
        [("/code", target.mapping_code) for target in targets.of_partner(db, partner.id)],
        stored.keys() | {document.code},
        documents={},
        report=report,
        now=now,
    )
    if report.faults:
        raise InvalidInput("The program cannot be used.", code="program_refused", faults=told(report))
    spec = document.spec()
    known = stored.get(spec.code)
    if known is not None:
        if programs.spec_of(known) != spec:
            raise Conflict(f"There is another program {spec.code} already.", code="program_exists")
        return known, False
    program = programs.create(db, partner.id, spec, caller=caller, now=now)
    enrolling.enrol_members(db, program, since=program.effective_from, now=now)
    return program, True


def usable_rulesets(db: Connection, partner_id: bytes) -> dict[str, set[str]]:
    """The codes of the rulesets that the partner may use, by kind: its own and the shared ones."""
    found: dict[str, set[str]] = {}
    mine = (ruleset.c.partner_id == partner_id) | (ruleset.c.partner_id.is_(None))
    for code, kind in db.execute(select(ruleset.c.code, ruleset.c.kind).where(mine)):
        found.setdefault(kind, set()).add(code)
    return found


def told(report: Report) -> list[Fault]:
    """The faults with their suggestions in the sentence, as they leave the hub."""
    return [
        Fault(fault.pointer, fault.code, f"{fault.message}; {fault.suggestion}" if fault.suggestion else fault.message)
        for fault in report.faults
    ]
