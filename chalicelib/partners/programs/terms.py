"""A program's terms: how its points last and are corrected, what it grants by itself, who may buy what, how it ends.

Everything here is data of the manifest. What a program leaves out it does not do: no grants, no increases, no end of
points when a member leaves, no price in money.
"""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from chalicelib.partners.programs.finance_terms import CarryOver, PlanYear, PointValue, ValueSince
from chalicelib.rules import canonical
from chalicelib.web.shapes import Day, Written

_AMOUNT: Final = r"(0|[1-9]\d{0,11})(\.\d{1,6})?"
Amount = Annotated[str, Written(_AMOUNT, "Write an amount as text.")]
_Code = Annotated[str, Written("[a-z][a-z0-9-]{0,19}", "Up to 20 small letters, digits and hyphens.")]
_Currency = Annotated[str, Written("[A-Z]{3}", "A currency is three capital letters, such as USD.")]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)


class Months(_Part):
    """Points expire this many months after the day they were earned for."""

    months: int = Field(ge=1, le=600)


class Days(_Part):
    """Points expire this many days after the day they were earned for."""

    days: int = Field(ge=1, le=36_500)


class YearEnd(_Part):
    """Points expire with the plan year that they were earned in."""

    year_end: Annotated[str, Written(r"(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])", "A day of the year: 12-31.")]
    grace_days: int = Field(0, ge=0, le=366, description="They may be spent for so many days more.")


class Lots(_Part):
    """What expires together, and when; ``expires`` null: never."""

    expires: Months | Days | YearEnd | None
    held_at_expiry: Literal["keep", "lapse"] = Field(
        "keep",
        description="Points that a hold covers on their last day: kept for that hold, or expired like the others.",
    )
    refund_grace_days: int = Field(
        0, ge=0, le=3_650, description="Refunded points may be spent for at least so many days more."
    )


class Corrections(_Part):
    """How points that were given are corrected."""

    reversal: Literal["refuse", "partial", "overdraft"] = Field(
        "refuse",
        description="What becomes of an accrual that is taken back when its points are spent: it stays, what is left "
        "is taken, or the member owes the rest.",
    )
    second_person_above: Amount | None = Field(
        "0", description="Adjustments of more points than this need a second person; null: none does."
    )
    reason_codes: list[Annotated[str, Written("[a-z][a-z0-9_]{0,39}", "A reason is a word in small letters.")]] = Field(
        ["correction", "goodwill", "migration"], min_length=1, max_length=50, description="Why points are adjusted."
    )
    consent_in_files: bool = Field(
        default=False,
        description="Whether the consent that a file of adjustments names is the second person's; else they wait for "
        "one in the hub.",
    )


class Grant(_Part):
    """An event that the hub makes itself, once for each enrolled member and occasion; the program's rule decides it.

    Each occasion has a day: the event's date. A period's day is its first one, or its last one in arrears. Who joins
    within a period that is granted in advance has the occasion on the first day there, and once.
    """

    code: _Code = Field(description="Part of the events' ids: another code grants again.")
    on: Literal["hire", "enrolment", "anniversary", "period", "rolling"] = Field(
        description="`hire`: the hire date. `enrolment`: the first day in the program. `anniversary`: of the hire"
        " date. `period`: every `months`, counted from `anchor`. `rolling`: the first day in the program and every"
        " `months` after it."
    )
    event_type: Literal["HOURS", "ALLOWANCE", "ANNIVERSARY", "BONUS", "SPEND"]
    months: int = Field(12, ge=1, le=120, description="Length of a period.")
    anchor: Day = Field(date(2000, 1, 1), description="A day on which a period begins: 2026-07-01 for fiscal years.")
    paid: Literal["advance", "arrears"] = "advance"
    joiners: bool = Field(True, description="Whether who joins within a period is granted for the rest of it.")
    quantity: Amount = "1"
    pro_rata: Literal["days", "months"] | None = Field(
        None,
        description="Of who is in the program for a part of a period, the quantity is that share of it, by days or by"
        " months begun; null: the whole.",
    )
    unit: str = Field("POINT", min_length=1, max_length=10)
    since: Day | None = Field(None, description="No occasion before this day; null: since the program begins.")
    late_days: int = Field(92, ge=0, le=366, description="How late a roster may still bring somebody an occasion.")

    @model_validator(mode="after")
    def _fits(self) -> "Grant":
        if self.anchor.day > 28:
            raise ValueError("A period begins on a day that every month has: 1 to 28.")
        return self


class Termination(_Part):
    """What becomes of a member's points after the last day of employment."""

    policy: Literal["forfeit", "grace", "pay_out"]
    grace_days: int = Field(0, ge=0, le=3_650, description="Points may be spent for so many days more.")
    held: Literal["keep", "release"] = Field(
        "keep", description="Points that a hold covers: kept for it, or taken out of it and treated as the rest."
    )
    claw_back: bool = Field(False, description="What a grant in advance gave for days after the last one is taken.")

    def due_on(self, last_day: date) -> date:
        """The first day on which nothing may be spent any more: points are taken on it."""
        return last_day + timedelta(days=1 + (0 if self.policy == "forfeit" else self.grace_days))


class Increases(_Part):
    """Members may ask for more, and the partner's manager decides."""

    request_max: Amount = Field(description="The most of one request.")
    year_max: Amount | None = Field(None, description="The most that one member is given in a calendar year.")
    retailer_decides: bool = Field(
        default=False, description="Whether the retailer's approvers may decide as well as the partner's managers."
    )


class Tender(_Part):
    """How points pay for prices in money."""

    point_value: Amount = Field(description="What one point, or piece, pays, in `currency`.")
    currency: _Currency
    decimals: int = Field(2, ge=0, le=4, description="Decimals of the currency.")
    card: bool = Field(True, description="Whether a card may pay the rest.")
    refund: Literal["points_first", "points_last", "pro_rata"] = Field(
        "points_first", description="What comes back first of a line that was paid with both."
    )


class Terms(_Part):
    """Everything a program may do besides earning by events that a partner sends."""

    eligibility: str | None = Field(
        None, max_length=100, description="Code of the ruleset of kind eligibility; null: only the catalogue decides."
    )
    grants: list[Grant] = Field([], max_length=20)
    termination: Termination | None = None
    increases: Increases | None = None
    tender: Tender | None = None
    value: PointValue | None = Field(None, description="For the books; null: as the tender has it, or none.")
    plan_year: PlanYear | None = Field(None, description="Null: its years are not closed.")

    @model_validator(mode="after")
    def _fits(self) -> "Terms":
        begun = None if self.plan_year is None else self.plan_year.grant
        if begun is not None and begun not in {each.code for each in self.grants}:
            raise ValueError("A plan year begins with a grant that the terms have.")
        return self


#: The parts of a program by the names that documents give them.
PARTS: Final[Mapping[str, type[BaseModel]]] = {
    "lots": Lots,
    "Months": Months,
    "Days": Days,
    "YearEnd": YearEnd,
    "corrections": Corrections,
    "terms": Terms,
    "grants": Grant,
    "termination": Termination,
    "increases": Increases,
    "tender": Tender,
    "value": PointValue,
    "values": ValueSince,
    "plan_year": PlanYear,
    "carry_over": CarryOver,
}
_NONE: Final = Terms()


def of(terms: Mapping[str, Any] | None) -> Terms:
    """The terms as a program keeps them. None: none."""
    return _NONE if terms is None else Terms.model_validate_json(canonical.text(terms))


def kept(terms: Terms) -> dict[str, Any] | None:
    """What a program keeps of its terms: what is not said is not kept."""
    return terms.model_dump(mode="json", exclude_defaults=True) or None
