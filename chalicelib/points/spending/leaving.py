"""Points of who has left: from the day on which the program takes them, nobody spends them.

The schedule takes them once a day, and may be late: what may be spent does not hang on when it runs.
"""

from datetime import date

from sqlalchemy.engine import Connection

from chalicelib.errors import Unprocessable
from chalicelib.partners.members import members
from chalicelib.partners.programs import terms
from chalicelib.partners.programs.programs import Program


class EmploymentEnded(Unprocessable):
    """The member has left, and the day on which the program takes the points has come."""

    code = "employment_ended"


def require_spendable(
    db: Connection, program: Program, member_id: bytes, today: date, *, held_already: bool = False
) -> None:
    """Raises EmploymentEnded where the points are due to be taken on ``today``, the program's date.

    ``held_already``: they are covered by a hold, which programs that keep such points let go on.
    """
    ending = None if program.terms is None else terms.of(program.terms).termination
    if ending is None or (held_already and ending.held == "keep"):
        return
    known = members.by_ids(db, [member_id])
    for then in members.as_of(db, list(known.values()), today):
        if then.status == "terminated" and then.term_date is not None and today >= ending.due_on(then.term_date):
            raise EmploymentEnded(
                f"The member's last day was {then.term_date}: since {ending.due_on(then.term_date)} the program "
                "takes what is left."
            )
