"""What is known of the close of a plan year: its rule, how far it has come, and its totals."""

from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import RowMapping, bindparam, select
from sqlalchemy.engine import Connection

from chalicelib.access.caller import Caller
from chalicelib.errors import Conflict, Unprocessable
from chalicelib.partners.programs.finance_terms import PlanYear
from chalicelib.partners.programs.terms import Grant
from chalicelib.points.models.books import plan_year_close
from chalicelib.points.plan_years.beginning import Begun
from chalicelib.points.plan_years.carrying import Carried
from chalicelib.records import dataclass


class PlanYearOpen(Conflict):
    """The plan year is not over yet."""

    code = "plan_year_open"


class LaterYearClosed(Conflict):
    """A later plan year was closed already: what this one would part has been parted."""

    code = "later_plan_year_closed"


class NotClosed(Unprocessable):
    """The program says nothing of how its plan years end."""

    code = "plan_year_not_closed"


class Totals(NamedTuple):
    """Sums over members, in minor units. before = carried + forfeited; ``held_minor`` is a part of what is carried."""

    members: int = 0
    before_minor: int = 0
    carried_minor: int = 0
    held_minor: int = 0
    forfeited_minor: int = 0
    grants: int = 0
    granted_minor: int = 0
    grants_refused: int = 0

    def plus(self, carried: Carried) -> "Totals":
        """With one member more."""
        return self._replace(
            members=self.members + 1,
            before_minor=self.before_minor + carried.before_minor,
            carried_minor=self.carried_minor + carried.carried_minor,
            held_minor=self.held_minor + carried.held_minor,
            forfeited_minor=self.forfeited_minor + carried.forfeited_minor,
        )

    def begun(self, begun: Begun) -> "Totals":
        """With a grant more, or one that was refused."""
        return self._replace(
            grants=self.grants + (begun.refused is None),
            granted_minor=self.granted_minor + begun.points_minor,
            grants_refused=self.grants_refused + (begun.refused is not None),
        )


@dataclass(frozen=True, slots=True)
class Close:
    """One close; ``done``: every member's year of that name is closed."""

    id: bytes
    partner_id: bytes
    program_id: bytes
    plan_year: int
    done: bool
    rule: PlanYear
    grant: Grant | None
    checkpoint: bytes
    totals: Totals
    actor: str
    correlation_id: str
    created_at: datetime
    finished_at: datetime | None

    @property
    def caller(self) -> Caller:
        """Who asked for it, in whose name it goes on."""
        return Caller(self.actor, self.correlation_id)


_OF_YEAR: Final = select(plan_year_close).where(
    plan_year_close.c.program_id == bindparam("program_id"), plan_year_close.c.plan_year == bindparam("named")
)


def of_year(db: Connection, program_id: bytes, named: int) -> Close | None:
    """The close of a program's plan year, if there is one."""
    row = db.execute(_OF_YEAR, {"program_id": program_id, "named": named}).mappings().one_or_none()
    return None if row is None else of_row(row)


def of_row(row: RowMapping) -> Close:
    """A row of the table as a value."""
    return Close(
        row["id"],
        row["partner_id"],
        row["program_id"],
        row["plan_year"],
        row["state"] == "done",
        PlanYear.model_validate_json(row["rules"]),
        None if row["grant_rules"] is None else Grant.model_validate_json(row["grant_rules"]),
        row["checkpoint"],
        Totals(*(row[name] for name in Totals._fields)),
        row["actor"],
        row["correlation_id"],
        row["created_at"],
        row["finished_at"],
    )
