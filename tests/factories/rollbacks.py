"""Files that are taken back, and what the members of acme have then."""

from dataclasses import replace
from datetime import date
from typing import Any

from chalicelib.access.caller import Caller
from chalicelib.files.register import rollbacks
from chalicelib.files.register.rollbacks import Kept, Rollback
from chalicelib.files.rollback import way
from chalicelib.partners.account_ids import MEMBER, account_id
from chalicelib.partners.members import members
from chalicelib.partners.programs import programs
from chalicelib.points.ledger import balances
from tests.factories import points
from tests.factories.files import Hub
from tests.factories.points import Earning

ADMIN = Caller("usr_00000000000000000000000001", "test-rollback")


def roll_back(hub: Hub, name: str = "file.csv", reason: str = "the wrong month") -> Rollback:
    """Ask for a rollback and let the workers do it; the run as it ends."""
    file = hub.file(name)
    with hub.database.write() as db:
        run, created = rollbacks.request(db, file.id, reason=reason, caller=ADMIN, now=hub.clock())
    if created:
        way.announce(run.id)
        hub.drain()
    with hub.database.read() as db:
        found = rollbacks.of_file(db, file.id)
    assert found is not None
    return found


def left(hub: Hub, run: Rollback) -> list[Kept]:
    """What a run had to leave."""
    with hub.database.read() as db:
        return rollbacks.left(db, run.id, limit=100)


def of_member(hub: Hub, employee_id: str) -> Earning:
    """The member's place in the ledger, for the factories of points."""
    assert hub.program is not None
    with hub.database.read() as db:
        member = members.by_employee(db, hub.partner.id, [employee_id])[employee_id]
        program = programs.by_id(db, hub.program.id)
    version: Any = None
    assert program is not None
    return Earning(hub.partner, program, member, version)


def available(hub: Hub, employee_id: str) -> int:
    """What a member may spend."""
    of = of_member(hub, employee_id).member.id
    with hub.database.read() as db:
        return sum(each.available_minor for each in balances.of(db, of, now=hub.clock()))


def standing_lots(hub: Hub, employee_id: str) -> list[tuple[date, int, int]]:
    """The member's lots that hold or owe anything."""
    assert hub.program is not None
    of = account_id(hub.program.id, MEMBER, of_member(hub, employee_id).member.id)
    with hub.database.read() as db:
        return [each for each in points.lots_of(db, of) if each[1]]


def with_policy(hub: Hub, policy: str) -> None:
    """Let acme's program take back spent points so."""
    assert hub.program is not None
    with hub.database.write() as db:
        changed = replace(programs.spec_of(hub.program), corrections={"reversal": policy})
        hub.program = programs.change(db, hub.program, changed, caller=ADMIN, now=hub.clock())


def spend(hub: Hub, employee_id: str, amount_minor: int) -> None:
    """Redeem points of a member."""
    with hub.database.write() as db:
        points.redeem(db, of_member(hub, employee_id), amount_minor, now=hub.clock())
