"""What a settlement's entries amount to in money: per program, adding up to the invoice to the minor unit.

The value of each program is rounded once. Fees and tax are those of the invoice of a currency, rounded once there, and
shared out so that the programs' parts add up to them. The liability in the books is brought to what is left at the
value of the last day: what movements at the values of their own days do not explain is revaluation.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field, fields
from datetime import date
from decimal import Decimal
from typing import Final, NamedTuple

from sqlalchemy import bindparam, func, select
from sqlalchemy.engine import Connection

from chalicelib.errors import Unprocessable
from chalicelib.partners.programs.finance_terms import SettlementTerms, share
from chalicelib.partners.programs.programs import Program
from chalicelib.points.finance import ranges, worth
from chalicelib.points.finance.ranges import Moved, Movement
from chalicelib.points.finance.worth import Worth
from chalicelib.points.models.books import settlement, settlement_line
from chalicelib.records import dataclass

_NOTHING: Final = Decimal(0)


class CurrencyChanged(Unprocessable):
    """A program is valued in another currency than its liability in the books."""

    code = "currency_changed"


class Owed(NamedTuple):
    """The liability of a program in the books, in minor units of its currency."""

    minor: int
    currency: str
    decimals: int


@dataclass(frozen=True, slots=True)
class Line:
    """One program's share. Points are minor units of the program; money, minor units of the currency.

    total = value + fees + tax; value is that of what was redeemed less what was refunded. closing_value is the
    liability in the books: that before, and ``liability_minor``.
    """

    program_id: bytes
    program_code: str
    unit: str
    scale: int
    currency: str
    decimals: int
    redeemed_minor: int
    refunded_minor: int
    given_minor: int
    brought_minor: int
    lapsed_minor: int
    paid_out_minor: int
    value_minor: int
    given_value_minor: int
    brought_value_minor: int
    lapsed_value_minor: int
    paid_out_value_minor: int
    revaluation_minor: int
    closing_minor: int
    closing_value_minor: int
    fees_minor: int
    tax_minor: int
    total_minor: int
    ledger_minor: int
    settled_minor: int

    @property
    def difference_minor(self) -> int:
        """Points redeemed by the period's end less those invoiced: zero unless later periods were settled before."""
        return self.ledger_minor - self.settled_minor

    @property
    def left_minor(self) -> int:
        """Points that the period's movements added to what members have left."""
        gained = self.given_minor + self.brought_minor + self.refunded_minor
        return gained - self.redeemed_minor - self.lapsed_minor - self.paid_out_minor

    @property
    def liability_minor(self) -> int:
        """What the document adds to the liability in the books."""
        grown = self.given_value_minor + self.brought_value_minor + self.revaluation_minor
        return grown - self.value_minor - self.lapsed_value_minor - self.paid_out_value_minor

    def reversed(self, before: "Before") -> "Line":
        """What a counter-document says: the same with the signs of all amounts turned."""
        turned = {name: -getattr(self, name) for name in AMOUNTS}
        same = {name: getattr(self, name) for name in NAMES}
        return Line(
            **same,
            **turned,
            closing_minor=before.left.get(self.program_id, 0) - self.left_minor,
            closing_value_minor=before.owed_minor(self.program_id) - self.liability_minor,
            ledger_minor=self.ledger_minor,
            settled_minor=before.settled.get(self.program_id, 0) - self.redeemed_minor + self.refunded_minor,
        )


NAMES: Final = ("program_id", "program_code", "unit", "scale", "currency", "decimals")
#: What says how things stood when the document was made, and is no amount of it.
_STANDINGS: Final = frozenset({"ledger_minor", "settled_minor", "closing_minor", "closing_value_minor"})
#: What a counter-document turns the sign of.
AMOUNTS: Final = tuple(
    each.name for each in fields(Line) if each.name.endswith("_minor") and each.name not in _STANDINGS
)


class Before(NamedTuple):
    """How things stood before a document, by program.

    ``left``: points that earlier settlements leave; ``liability``: its value in the books. ``settled`` and ``ledger``
    are points redeemed less refunded: of all earlier documents, and of all entries named up to the period's end.
    """

    left: Mapping[bytes, int]
    liability: Mapping[bytes, Owed]
    settled: Mapping[bytes, int]
    ledger: Mapping[bytes, int]

    def owed_minor(self, program_id: bytes) -> int:
        """The liability of a program in the books."""
        found = self.liability.get(program_id)
        return 0 if found is None else found.minor


@dataclass(slots=True)
class _Sums:
    """Points and their exact value by movement."""

    points: dict[Movement, int] = field(default_factory=dict)
    values: dict[Movement, Decimal] = field(default_factory=dict)

    def add(self, moved: Moved, value: Decimal) -> None:
        self.points[moved.movement] = self.points.get(moved.movement, 0) + moved.points_minor
        self.values[moved.movement] = self.values.get(moved.movement, _NOTHING) + value

    def value(self, movement: Movement, less: Movement | None = None) -> Decimal:
        found = self.values.get(movement, _NOTHING)
        return found if less is None else found - self.values.get(less, _NOTHING)

    def left_minor(self) -> int:
        return sum(ranges.signed(movement, points) for movement, points in self.points.items())


class _Month(NamedTuple):
    """What all lines of a settlement are made with."""

    programs: Mapping[bytes, Program]
    terms: SettlementTerms
    before: Before
    last_day: date


def of(
    moved: Iterable[Moved],
    programs: Mapping[bytes, Program],
    terms: SettlementTerms,
    *,
    before: Before,
    last_day: date,
) -> list[Line]:
    """The lines of a settlement, by program code; a program without movement or revaluation has none.

    Raises NoValue for a program that says no value and has something to be invoiced or posted, and CurrencyChanged.
    """
    known = {program_id: worth.of(program) for program_id, program in programs.items()}
    values: dict[bytes, Worth] = {}
    sums: dict[bytes, _Sums] = {}
    for each in moved:
        value = known[each.program_id]
        if value is None:
            if each.movement in {"redeemed", "refunded"} or terms.accounts.liability is not None:
                value = worth.required(programs[each.program_id])
            else:
                continue
        values[each.program_id] = value
        sums.setdefault(each.program_id, _Sums()).add(each, value.exact(each.points_minor, each.valued_on))
    for program_id in before.left.keys() | before.liability.keys():
        # What is left may be worth something else by now, though nothing moved.
        value = known.get(program_id)
        if value is not None and value.said.on(last_day) is not None and program_id not in sums:
            values[program_id], sums[program_id] = value, _Sums()
    for program_id, value in values.items():
        owed = before.liability.get(program_id)
        if owed is not None and owed.minor and owed[1:] != (value.currency, value.decimals):
            raise CurrencyChanged(f"The liability of {value.program_code} is in {owed.currency} in the books.")
    order = sorted(sums, key=lambda each: programs[each].code)
    month = _Month(programs, terms, before, last_day)
    lines: list[Line] = []
    for currency in sorted({(value.currency, value.decimals) for value in values.values()}):
        of_currency = [each for each in order if (values[each].currency, values[each].decimals) == currency]
        lines += _lines(of_currency, sums, values, month)
    told = [line for line in lines if sums[line.program_id].points or line.revaluation_minor]
    return sorted(told, key=lambda line: line.program_code)


def stored(db: Connection, settlement_id: bytes) -> list[Line]:
    """The lines of a settlement as they were written, by program code."""
    return [Line(*row) for row in db.execute(_STORED, {"id": settlement_id})]


def liability(db: Connection, partner_id: bytes, *, through: str, before_seq: int | None = None) -> dict[bytes, Owed]:
    """The liability in the books by program, of all documents up to those of a period; or of those before one.

    Raises CurrencyChanged should a program have two.
    """
    query = _LIABILITY if before_seq is None else _LIABILITY.where(settlement.c.seq < before_seq)
    found: dict[bytes, Owed] = {}
    for program_id, currency, decimals, minor in db.execute(query, {"partner_id": partner_id, "through": through}):
        if minor and found.setdefault(program_id, Owed(int(minor), currency, decimals)).currency != currency:
            raise CurrencyChanged("The liability of a program is in two currencies in the books.")
    return found


def settled_points(db: Connection, partner_id: bytes, *, before_seq: int | None = None) -> dict[bytes, int]:
    """Points redeemed less refunded by program, of all documents of a partner, or of those before one."""
    query = _SETTLED if before_seq is None else _SETTLED.where(settlement.c.seq < before_seq)
    return {row[0]: int(row[1]) for row in db.execute(query, {"partner_id": partner_id})}


def _lines(
    order: Sequence[bytes], sums: Mapping[bytes, _Sums], values: Mapping[bytes, Worth], month: _Month
) -> list[Line]:
    """The lines of the programs of one currency."""
    terms, rounding = month.terms, month.terms.rounding
    redeemed = [worth.rounded(sums[each].value("redeemed", "refunded"), rounding) for each in order]
    fees = _shared([share(terms.fee_percent) * value for value in redeemed], rounding)
    taxed = [value + fee for value, fee in zip(redeemed, fees, strict=True)]
    taxes = _shared([share(terms.tax_percent) * amount for amount in taxed], rounding)
    return [
        _line(each, sums[each], values[each], month, charged)
        for each, *charged in zip(order, redeemed, fees, taxes, strict=True)
    ]


def _line(program_id: bytes, found: _Sums, value: Worth, month: _Month, charged: Sequence[int]) -> Line:
    program, before, rounding = month.programs[program_id], month.before, month.terms.rounding
    value_minor, fees_minor, tax_minor = charged
    given, brought, lapsed, paid_out = (
        worth.rounded(found.value(movement), rounding) for movement in ("given", "brought", "lapsed", "paid_out")
    )
    closing = before.left.get(program_id, 0) + found.left_minor()
    closing_value = worth.rounded(value.exact(closing, month.last_day), rounding)
    explained = before.owed_minor(program_id) + given + brought - value_minor - lapsed - paid_out
    points = found.points
    return Line(
        program_id=program_id,
        program_code=program.code,
        unit=program.unit,
        scale=program.scale,
        currency=value.currency,
        decimals=value.decimals,
        redeemed_minor=points.get("redeemed", 0),
        refunded_minor=points.get("refunded", 0),
        given_minor=points.get("given", 0),
        brought_minor=points.get("brought", 0),
        lapsed_minor=points.get("lapsed", 0),
        paid_out_minor=points.get("paid_out", 0),
        value_minor=value_minor,
        given_value_minor=given,
        brought_value_minor=brought,
        lapsed_value_minor=lapsed,
        paid_out_value_minor=paid_out,
        revaluation_minor=closing_value - explained,
        closing_minor=closing,
        closing_value_minor=closing_value,
        fees_minor=fees_minor,
        tax_minor=tax_minor,
        total_minor=value_minor + fees_minor + tax_minor,
        ledger_minor=before.ledger.get(program_id, 0),
        settled_minor=before.settled.get(program_id, 0) + points.get("redeemed", 0) - points.get("refunded", 0),
    )


def _shared(exact: Sequence[Decimal], rounding: worth.Rounding) -> list[int]:
    return worth.adding_up(exact, worth.rounded(sum(exact, _NOTHING), rounding))


_STORED: Final = (
    select(*(settlement_line.c[each.name] for each in fields(Line)))
    .where(settlement_line.c.settlement_id == bindparam("id"))
    .order_by(settlement_line.c.program_code)
)
_LINES: Final = (
    select(settlement_line.c.program_id)
    .join(settlement, settlement.c.id == settlement_line.c.settlement_id)
    .where(settlement.c.partner_id == bindparam("partner_id"))
    .group_by(settlement_line.c.program_id)
)
_SETTLED: Final = _LINES.add_columns(func.sum(settlement_line.c.redeemed_minor - settlement_line.c.refunded_minor))
_LIABILITY: Final = (
    _LINES.add_columns(
        settlement_line.c.currency,
        settlement_line.c.decimals,
        func.sum(
            settlement_line.c.given_value_minor
            + settlement_line.c.brought_value_minor
            + settlement_line.c.revaluation_minor
            - settlement_line.c.value_minor
            - settlement_line.c.lapsed_value_minor
            - settlement_line.c.paid_out_value_minor
        ),
    )
    .where(settlement.c.period <= bindparam("through"))
    .group_by(settlement_line.c.currency, settlement_line.c.decimals)
)
