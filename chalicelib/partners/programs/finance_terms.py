"""What a manifest says for the books: what a point is worth, how a plan year ends, how a partner is invoiced.

All of it is data. A program that says nothing has no value in money, and its years are not closed; a partner that says
nothing is not settled.
"""

from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from chalicelib.web.shapes import Day, Written

Rounding: TypeAlias = Literal["down", "half_up", "half_even"]

_Amount = Annotated[str, Written(r"(0|[1-9]\d{0,11})(\.\d{1,6})?", "Write an amount as text.")]
_Percent = Annotated[
    str, Written(r"(100(\.0{1,4})?|\d{1,2}(\.\d{1,4})?)", "Write a share of a hundred as text: 20 or 7.5.")
]
_Account = Annotated[str, Written("[A-Z0-9]{1,10}", "An account has up to 10 digits and capital letters.")]
_Center = Annotated[str, Written("[A-Z0-9]{1,10}", "A centre has up to 10 digits and capital letters.")]

_PERCENT: Final = Decimal(100)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)


class ValueSince(_Part):
    """What one point is worth from a day on."""

    since: Day
    value: _Amount = Field(description="In the currency; as exact as it is written.")


class PointValue(_Part):
    """What one point, piece or unit of money of the program is worth in the books, by the day it moved."""

    currency: Annotated[str, Written("[A-Z]{3}", "A currency is three capital letters, such as USD.")]
    decimals: int = Field(2, ge=0, le=4, description="Decimals of the currency.")
    values: list[ValueSince] = Field(min_length=1, max_length=100, description="In the order of their days.")

    @field_validator("values")
    @classmethod
    def _in_order(cls, values: list[ValueSince]) -> list[ValueSince]:
        if any(one.since >= other.since for one, other in pairwise(values)):
            raise ValueError("The days of values rise, each later than the one before.")
        return values

    def on(self, day: date) -> Decimal | None:
        """The value of one unit on a day; None before the first."""
        found = [each.value for each in self.values if each.since <= day]
        return Decimal(found[-1]) if found else None


class CarryOver(_Part):
    """What of the points that are left at the end of a plan year the member keeps; the rest is forfeited."""

    percent: _Percent = Field("0", description="Of what is left.")
    cap: _Amount | None = Field(None, description="At most so many points; null: no cap.")
    rounding: Rounding = Field("down", description="To the program's unit, before the cap.")
    grace_days: int | None = Field(
        None,
        ge=0,
        le=3_650,
        description="Carried points may be spent for so many days of the new year; null: as long as they could before.",
    )


class PlanYear(_Part):
    """How a plan year ends. It is named by the calendar year in which it begins."""

    begins: Annotated[str, Written(r"(0[1-9]|1[0-2])-(0[1-9]|1\d|2[0-8])", "A day that every month has: 01-01.")] | (
        None
    ) = Field("01-01", description="First day; null: rolling, from the day of the member's first enrolment.")
    years: int = Field(1, ge=1, le=5, description="How many years one plan year has; more than one only if rolling.")
    carry_over: CarryOver = CarryOver()
    held: Literal["carry", "lapse"] = Field(
        "carry",
        description="Points that a hold covers at the end: carried before any others, beyond what may be carried if"
        " need be; or taken out of the hold and treated as the rest.",
    )
    grant: str | None = Field(
        None, max_length=20, description="Code of the grant of the terms that begins the new year; null: none."
    )

    @model_validator(mode="after")
    def _fits(self) -> "PlanYear":
        if self.begins is not None and self.years != 1:
            raise ValueError("Only a rolling plan year has more than one year.")
        return self


class Accounts(_Part):
    """General ledger accounts of the retailer's books; without a liability, nothing of it is posted."""

    receivable: _Account = Field(description="What the partner owes.")
    revenue: _Account = Field(description="What members bought.")
    fees: _Account | None = Field(None, description="Needed where there is a fee.")
    tax: _Account | None = Field(None, description="Needed where there is tax.")
    liability: _Account | None = Field(None, description="What members may still spend.")
    expense: _Account | None = Field(None, description="Points given; needed with a liability.")
    breakage: _Account | None = Field(None, description="Points that nobody spent; needed with a liability.")
    brought_over: _Account | None = Field(
        None, description="Where the liability of opening balances comes from; needed once there are any."
    )
    paid_out: _Account | None = Field(
        None, description="What is owed to members whose points are paid out; needed once some are."
    )
    revaluation: _Account | None = Field(
        None, description="What a changed value of points makes of what is left; null: the expense."
    )


class SettlementTerms(_Part):
    """How a period is invoiced to the partner, and posted to the retailer's books."""

    company_code: Annotated[str, Written("[A-Z0-9]{1,4}", "A company code has up to 4 characters.")]
    doc_type: Annotated[str, Written("[A-Z0-9]{2}", "A document type has 2 characters.")] = "DR"
    liability_doc_type: Annotated[str, Written("[A-Z0-9]{2}", "A document type has 2 characters.")] = "SA"
    accounts: Accounts
    cost_center: _Center | None = None
    profit_center: _Center | None = None
    fee_percent: _Percent = Field("0", description="Of the value of what was redeemed, less what was refunded.")
    tax_percent: _Percent = Field("0", description="Of value and fees.")
    rounding: Literal["half_up", "half_even"] = "half_up"

    @model_validator(mode="after")
    def _fits(self) -> "SettlementTerms":
        for percent, account in ((self.fee_percent, self.accounts.fees), (self.tax_percent, self.accounts.tax)):
            if Decimal(percent) and account is None:
                raise ValueError("What is charged needs an account to be posted to.")
        of_liability = (self.accounts.liability, self.accounts.expense, self.accounts.breakage)
        if any(of_liability) and not all(of_liability):
            raise ValueError("The accounts of liability, expense and breakage are given together.")
        return self


def share(percent: str) -> Decimal:
    """A percentage as a factor: ``"7.5"`` is 0.075."""
    return Decimal(percent) / _PERCENT
