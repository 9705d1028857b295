"""Partners, programs and members for tests, made by the functions that the hub itself uses."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from itertools import count
from typing import Any

from sqlalchemy.engine import Connection

from chalicelib.access.caller import Caller
from chalicelib.partners import directory
from chalicelib.partners.directory import Partner
from chalicelib.partners.members import enrolments, identities, members
from chalicelib.partners.members.members import MemberRef, RosterRow
from chalicelib.partners.models.partners import member_identity
from chalicelib.partners.programs import programs
from chalicelib.partners.programs.programs import Program, ProgramSpec
from chalicelib.partners.provenance import BY_API
from chalicelib.storage import bulk
from chalicelib.storage.ids import new_id

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
CALLER = Caller("system:test", "test")
_numbers = count(1)


def make_partner(db: Connection, code: str | None = None, **values: Any) -> Partner:
    """An active partner; its code is ``partner-<n>`` unless given."""
    code = code or f"partner-{next(_numbers)}"
    given = {"name": code.title(), "time_zone": "America/Chicago", "caller": CALLER, "now": NOW} | values
    return directory.create(db, code=code, **given)


def make_program(db: Connection, partner: Partner, code: str = "uniform", **values: Any) -> Program:
    """A program in points with two decimals that enrols everybody; its ruleset is ``<partner>.accrual``."""
    given: dict[str, Any] = {
        "code": code,
        "name": code.title(),
        "kind": "accrual",
        "unit": "points",
        "scale": 2,
        "time_zone": partner.time_zone,
        "ruleset_code": f"{partner.code}.accrual",
        "effective_from": date(2026, 1, 1),
        "lots": {"expires": {"months": 24}},
        "enrolment": {"when": {"==": [{"var": "status"}, "active"]}},
    }
    return programs.create(db, partner.id, ProgramSpec(**(given | values)), caller=CALLER, now=NOW)


def roster_row(employee_id: str = "E1", **values: Any) -> RosterRow:
    """A full roster row: hired on 2024-10-01, effective on 2026-01-01."""
    given: dict[str, Any] = {
        "employee_id": employee_id,
        "action": "A",
        "first_name": "Dolores",
        "last_name": "Haze",
        "email": f"{employee_id.lower()}@example.com",
        "phone": None,
        "hire_date": date(2024, 10, 1),
        "term_date": None,
        "job_code": "CREW",
        "grade": "G5",
        "department": "Cabin",
        "cost_center": None,
        "location_code": "ORD",
        "country": "US",
        "currency": "USD",
        "union_code": None,
        "fte_pct": None,
        "manager_id": None,
        "ship_to_line1": None,
        "ship_to_city": None,
        "ship_to_region": None,
        "ship_to_postal": None,
        "effective_date": date(2026, 1, 1),
    }
    unknown = values.keys() - given.keys()
    assert not unknown, f"a roster row has no {unknown}"
    return RosterRow(**(given | values))  # type: ignore[typeddict-item]


def apply_rows(
    db: Connection,
    partner: Partner,
    rows: Sequence[RosterRow],
    *,
    snapshot_file: bytes | None = None,
    now: datetime = NOW,
) -> list[str]:
    """Apply roster rows as a request would; the outcome of each, a rejected one as ``rejected: code``."""
    outcomes = members.apply_roster(
        db, partner, rows, sources=[BY_API] * len(rows), snapshot_file=snapshot_file, caller=CALLER, now=now
    )
    return [f"rejected: {one.code}" if one.code else one.outcome for one in outcomes]


def make_member(db: Connection, partner: Partner, employee_id: str = "E1", **values: Any) -> MemberRef:
    """A hired member, enrolled by the rules of the partner's programs."""
    assert apply_rows(db, partner, [roster_row(employee_id, **values)]) == ["accepted"]
    return members.by_employee(db, partner.id, [employee_id])[employee_id]


def make_members(db: Connection, partner: Partner, how_many: int, **values: Any) -> dict[str, MemberRef]:
    """Members ``E0001``, ``E0002``, …, by employee id."""
    numbers = [f"E{number:04}" for number in range(1, how_many + 1)]
    apply_rows(db, partner, [roster_row(number, **values) for number in numbers])
    return members.by_employee(db, partner.id, numbers)


def enrol(db: Connection, program: Program, member: MemberRef, valid_from: date = date(2026, 1, 1)) -> None:
    """Enrol a member by hand."""
    enrolments.enrol(db, program, member.id, valid_from=valid_from, caller=CALLER, now=NOW)


def number_customer(
    db: Connection, member: MemberRef, number: str, valid_from: date, valid_to: date | None = None
) -> None:
    """Let the store know the member under a number of its own."""
    row = {
        "id": new_id(),
        "partner_id": member.partner_id,
        "member_id": member.id,
        "system": identities.STORE,
        "external_id": number,
        "valid_from": valid_from,
        "valid_to": valid_to,
    }
    bulk.insert(db, member_identity, [row])


def program_spec(**values: Any) -> Mapping[str, Any]:
    """A program as a manifest describes it."""
    given = {
        "code": "uniform",
        "name": "Uniform points",
        "kind": "accrual",
        "unit": "points",
        "scale": 2,
        "time_zone": "America/Chicago",
        "ruleset": "aurora-air.accrual",
        "effective_from": "2026-01-01",
        "lots": {"expires": {"months": 24}},
        "enrolment": {"when": {"==": [{"var": "status"}, "active"]}},
    }
    return given | values
