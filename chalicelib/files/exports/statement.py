"""O7: each member's month, of a whole partner."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from sqlalchemy.engine import Connection

from chalicelib.access.scopes import Scope
from chalicelib.errors import InvalidInput
from chalicelib.files.exporting.registry import Asked, Export, Row
from chalicelib.points.finance import months, statements
from chalicelib.points.finance.months import Month
from chalicelib.points.finance.statements import Statement

SCOPES: Final = frozenset({Scope.LEDGER_READ, Scope.MEMBERS_READ})


def rows(db: Connection, asked: Asked) -> Iterator[Row]:
    """A row for each member and program that ever had an entry by the end of the month. Raises InvalidInput."""
    assert asked.partner is not None  # noqa: S101 - an export for partners only
    for each in statements.of(db, asked.partner.id, month_of(asked)):
        yield row_of(each)


def month_of(asked: Asked) -> Month:
    """The month that is asked for. Raises InvalidInput for another period."""
    assert asked.partner is not None  # noqa: S101 - an export for partners only
    assert asked.period is not None  # noqa: S101 - an export of periods
    month = months.named(f"{asked.period[0]:%Y-%m}", asked.partner)
    if (month.first_day, month.last_day) != asked.period:
        raise InvalidInput("A statement is of a whole month.", code="period_malformed")
    return month


def row_of(of: Statement) -> Row:
    """One member's month as the layout has it."""

    def points(minor: int) -> Decimal:
        return Decimal(minor).scaleb(-of.program.scale)

    return {
        "employee_id": of.employee_id,
        "program_code": of.program.code,
        "opening": points(of.opening_minor),
        "accrued": points(of.accrued_minor),
        "adjusted": points(of.adjusted_minor),
        "redeemed": points(of.redeemed_minor),
        "refunded": points(of.refunded_minor),
        "expired": points(of.expired_minor),
        "closing": points(of.closing_minor),
        "liability_value": None if of.value_minor is None else Decimal(of.value_minor).scaleb(-of.decimals),
        "currency": of.currency,
    }


def _stem(asked: Asked) -> str:
    assert asked.partner is not None  # noqa: S101 - an export for partners only
    return f"statement_{asked.partner.code}_{month_of(asked).name}"


EXPORT: Final = Export("statement", rows, scopes=SCOPES, has_period=True, stem=_stem)
