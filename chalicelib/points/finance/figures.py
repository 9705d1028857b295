"""What a settlement's entries amount to in money: per program, adding up to the invoice to the minor unit.

The value of each program is rounded once. Fees and tax are those of the invoice of a currency, rounded once there, and
shared out so that the programs' parts add up to them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Final

from sqlalchemy import bindparam, select
from sqlalchemy.engine import Connection

from chalicelib.partners.finance_terms import SettlementTerms, share
from chalicelib.partners.programs import Program
from chalicelib.points.finance import worth
from chalicelib.points.finance.ranges import Moved
from chalicelib.points.finance.worth import Worth
from chalicelib.points.finance_models import settlement_line

_NOTHING: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class Line:
    """One program's share. Points are minor units of the program; money, minor units of the currency.

    total = value + fees + tax; value is that of what was redeemed less what was refunded. ``given_minor`` and
    ``lapsed_minor`` are what the program's liability grew and shrank by otherwise.
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
    lapsed_minor: int
    value_minor: int
    given_value_minor: int
    lapsed_value_minor: int
    fees_minor: int
    tax_minor: int
    total_minor: int
    ledger_minor: int
    settled_minor: int

    @property
    def difference_minor(self) -> int:
        """Points that the ledger has redeemed, all time, and no settlement has; zero but for what committed late."""
        return self.ledger_minor - self.settled_minor

    def reversed(self, *, ledger_minor: int, settled_minor: int) -> "Line":
        """What a counter-document says: the same with the signs of all amounts turned."""
        turned = {name: -getattr(self, name) for name in AMOUNTS}
        same = {name: getattr(self, name) for name in NAMES}
        return Line(**same, **turned, ledger_minor=ledger_minor, settled_minor=settled_minor)


NAMES: Final = ("program_id", "program_code", "unit", "scale", "currency", "decimals")
#: What a counter-document turns the sign of.
AMOUNTS: Final = tuple(
    each.name for each in fields(Line) if each.name.endswith("_minor") and each.name[:6] not in {"ledger", "settle"}
)


@dataclass(slots=True)
class _Sums:
    redeemed: int = 0
    refunded: int = 0
    given: int = 0
    lapsed: int = 0
    value: Decimal = _NOTHING
    given_value: Decimal = _NOTHING
    lapsed_value: Decimal = _NOTHING

    def add(self, moved: Moved, value: Decimal) -> None:
        points = moved.points_minor
        match moved.movement:
            case "redeemed":
                self.redeemed += points
                self.value += value
            case "refunded":
                self.refunded += points
                self.value -= value
            case "given":
                self.given += points
                self.given_value += value
            case "lapsed":
                self.lapsed += points
                self.lapsed_value += value
            case "moved":
                pass


def of(
    moved: Iterable[Moved],
    programs: Mapping[bytes, Program],
    terms: SettlementTerms,
    *,
    ledger: Mapping[bytes, int],
    settled: Mapping[bytes, int],
) -> list[Line]:
    """The lines of a settlement, by program code; a program without any movement has none.

    ``ledger`` and ``settled`` are points redeemed less refunded by program: of all time, and of earlier settlements.
    Raises NoValue for a program that says no value and has something to be invoiced or posted.
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
    order = sorted(sums, key=lambda each: programs[each].code)
    lines: list[Line] = []
    for currency in sorted({(value.currency, value.decimals) for value in values.values()}):
        of_currency = [each for each in order if (values[each].currency, values[each].decimals) == currency]
        lines += _lines(of_currency, sums, programs, currency, terms, ledger, settled)
    return sorted(lines, key=lambda line: line.program_code)


def stored(db: Connection, settlement_id: bytes) -> list[Line]:
    """The lines of a settlement as they were written, by program code."""
    return [Line(*row) for row in db.execute(_STORED, {"id": settlement_id})]


def _lines(
    order: Sequence[bytes],
    sums: Mapping[bytes, _Sums],
    programs: Mapping[bytes, Program],
    currency: tuple[str, int],
    terms: SettlementTerms,
    ledger: Mapping[bytes, int],
    settled: Mapping[bytes, int],
) -> list[Line]:
    rounding = terms.rounding
    values = [worth.rounded(sums[each].value, rounding) for each in order]
    fees = _shared([share(terms.fee_percent) * value for value in values], rounding)
    taxed = [value + fee for value, fee in zip(values, fees, strict=True)]
    taxes = _shared([share(terms.tax_percent) * amount for amount in taxed], rounding)
    return [
        Line(
            program_id=each,
            program_code=programs[each].code,
            unit=programs[each].unit,
            scale=programs[each].scale,
            currency=currency[0],
            decimals=currency[1],
            redeemed_minor=found.redeemed,
            refunded_minor=found.refunded,
            given_minor=found.given,
            lapsed_minor=found.lapsed,
            value_minor=value,
            given_value_minor=worth.rounded(found.given_value, rounding),
            lapsed_value_minor=worth.rounded(found.lapsed_value, rounding),
            fees_minor=fee,
            tax_minor=tax,
            total_minor=value + fee + tax,
            ledger_minor=ledger.get(each, 0),
            settled_minor=settled.get(each, 0) + found.redeemed - found.refunded,
        )
        for each, value, fee, tax in zip(order, values, fees, taxes, strict=True)
        for found in [sums[each]]
    ]


def _shared(exact: Sequence[Decimal], rounding: worth.Rounding) -> list[int]:
    return worth.adding_up(exact, worth.rounded(sum(exact, _NOTHING), rounding))


_STORED: Final = (
    select(*(settlement_line.c[each.name] for each in fields(Line)))
    .where(settlement_line.c.settlement_id == bindparam("id"))
    .order_by(settlement_line.c.program_code)
)
