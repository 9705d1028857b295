"""The file of ``benchmarks.intake``: Aurora Air's own timesheet export, of any size, the same for the same size.

Ten working days of each employee. One row in two hundred is of somebody whom no roster named (rejected), one in two
hundred has no readable hours (rejected), one in two hundred is unpaid leave (ignored). Everything else earns points.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random
from typing import Literal

LAYOUT = "timesheet"
ROWS_PER_EMPLOYEE = 10
#: ``shuffled`` is the worst order there is, each slice then touches nearly as many accounts as it has rows;
#: ``by_employee`` is how timekeeping exports come.
Order = Literal["shuffled", "by_employee"]

_HEADER = "Emp ID,Work Date,Pay Type,Hours,Period End,Base,Note"
_DAYS = [date(2026, 11, 2) + timedelta(days=day) for day in (0, 1, 2, 3, 4, 7, 8, 9, 10, 11)]
_ODD_EVERY = 200


@dataclass(frozen=True, slots=True)
class Timesheet:
    """The file's bytes, and what the hub must say about its rows."""

    content: bytes
    rows: int
    rejected: int
    ignored: int

    @property
    def accepted(self) -> int:
        """The rows that become events."""
        return self.rows - self.rejected - self.ignored


def timesheet(employees: Sequence[str], order: Order) -> Timesheet:
    """Ten rows of each employee, and the trailer that states their number and sum."""
    draw = Random(3)
    facts = [(employee, day, draw.randrange(16, 41) * 25) for employee in employees for day in _DAYS]
    if order == "shuffled":
        draw.shuffle(facts)
    lines = [_HEADER]
    rejected = ignored = hundredths = 0
    for number, (employee, day, amount) in enumerate(facts):
        worked = f"{day.month}/{day.day}/{day.year}"
        hours = f"{amount // 100}.{amount % 100:02}"
        pay_type, named = "Regular", employee
        odd = number % _ODD_EVERY
        if odd == 50:
            named = f"X{employee}"
            rejected += 1
        elif odd == 100:
            hours = "n/a"
            rejected += 1
        elif odd == 150:
            pay_type = "Unpaid Leave"
            ignored += 1
        hundredths += 0 if odd == 100 else amount
        lines.append(f"{named},{worked},{pay_type},{hours},11/15/2026,SEA,")
    lines.append(f"#TRAILER,{len(facts)},{hundredths // 100}.{hundredths % 100:02}\n")
    return Timesheet("\n".join(lines).encode(), len(facts), rejected, ignored)
