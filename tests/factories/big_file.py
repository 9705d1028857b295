"""A big accrual file of aurora-air's, and what must become of each of its rows, worked out without the hub."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from random import Random

PARTNER, PROGRAM = "aurora-air", "uniform"
_ACCRUALS = "partner_code,program_code,event_id,employee_id,event_type,event_date,quantity,unit"
_ROSTER = "partner_code,employee_id,action,first_name,last_name,hire_date,job_code,country,effective_date"
_FIRST_DAY, _DAYS = date(2026, 1, 1), 304  # ten months
#: What rules/rulesets/aurora-air.accrual.json pays after five years of service, and at most in a month.
_PER_HOUR, _CAP = Decimal("1.5"), Decimal(400)
_CENT = Decimal("0.01")
_UNITS = {"HOURS": "HOUR", "BONUS": "POINT"}


@dataclass
class BigFile:
    """The file at ``path``, the outcome of each row, and the points of each employee."""

    path: Path
    rows: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    control: Counter[str] = field(default_factory=Counter)
    event_ids: set[str] = field(default_factory=set)
    points: dict[str, Decimal] = field(default_factory=dict)

    @property
    def points_total(self) -> Decimal:
        return sum(self.points.values(), Decimal(0))

    def sum_of(self, outcome: str) -> Decimal:
        """The control sum of the rows of one outcome."""
        return Decimal(self.control[outcome]) / 100


def write_roster(path: Path, employees: Sequence[str]) -> Path:
    """A roster in the hub's own layout: all of them with more than five years of service in 2026."""
    people = (f"{PARTNER},{each},A,Ada,Byron,2015-03-01,31,US,2026-01-01" for each in employees)
    path.write_text("\n".join([_ROSTER, *people]) + "\n")
    return path


def write_accruals(path: Path, employees: Sequence[str], *, rows: int) -> BigFile:
    """Hours and bonuses over ten months; among them rows that come twice, name nobody or carry no date."""
    big = BigFile(path, points=dict.fromkeys(employees, Decimal(0)))
    with path.open("w") as out:
        out.write(_ACCRUALS + "\n")
        out.writelines(line + "\n" for line in _rows(big, employees, rows, Random(7)))  # noqa: S311 - the same file every time
        total = sum(big.control.values())
        out.write(f"#TRAILER,{rows},{Decimal(total) / 100}\n")
    return big


def _rows(big: BigFile, employees: Sequence[str], rows: int, draw: Random) -> Iterator[str]:
    earned_in: Counter[tuple[str, int]] = Counter()
    accepted: list[tuple[str, int]] = []
    for number in range(1, rows + 1):
        cents = draw.randrange(25, 1200, 25)
        employee, day = draw.choice(employees), _FIRST_DAY + timedelta(days=draw.randrange(_DAYS))
        kind, outcome, code = ("BONUS" if number % 50 == 0 else "HOURS"), "accepted", "posted"
        shown_day = day.isoformat()
        if number % 499 == 0:
            # From any earlier slice, so most likely from before the crash.
            line, cents = draw.choice(accepted)
            _count(big, "duplicate", "duplicate", cents)
            yield line
            continue
        if number % 997 == 0:
            employee, outcome, code = f"N-{number}", "rejected", "unknown_member"
        elif number % 1009 == 0:
            shown_day, outcome, code = "2026-02-30", "rejected", "bad_date"
        event_id = f"big-{number:06}"
        line = f"{PARTNER},{PROGRAM},{event_id},{employee},{kind},{shown_day},{Decimal(cents) / 100},{_UNITS[kind]}"
        _count(big, outcome, code, cents)
        if outcome == "accepted":
            big.event_ids.add(event_id)
            accepted.append((line, cents))
            month = (employee, day.month)
            points = _points(kind, Decimal(cents) / 100, Decimal(earned_in[month]) / 100)
            if kind != "BONUS":  # what is granted does not take from the cap
                earned_in[month] += int(points * 100)
            big.points[employee] += points
        yield line


def _points(kind: str, quantity: Decimal, earned_this_month: Decimal) -> Decimal:
    if kind == "BONUS":
        return quantity
    room = max(_CAP - earned_this_month, Decimal(0))
    return min(quantity * _PER_HOUR, room).quantize(_CENT, ROUND_HALF_UP)


def _count(big: BigFile, outcome: str, code: str, cents: int) -> None:
    big.rows += 1
    big.outcomes[outcome] += 1
    big.codes[code] += 1
    big.control[outcome] += cents
