"""What a manifest says about the files that a partner is sent regularly."""

from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

from chalicelib.web.shapes import Day, Written

Name: TypeAlias = Literal["balances_sfcc", "eligibility_snapshot", "expiry_notice", "payroll_feed"]
Every: TypeAlias = Literal["day", "week", "two_weeks", "half_month", "month"]


class ScheduledExport(BaseModel):
    """One file that is sent again and again. Days and times are the partner's.

    A payroll feed is of a period: the calendar's months or their halves, or weeks that are counted from ``since``; it
    is sent on the day after its last one. Other files are of a day.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)

    export: Name = Field(description="Which file.")
    every: Every = Field("day", description="How long a period is.")
    since: Day = Field(description="The first day of the first period.")
    at: Annotated[str, Written("([01][0-9]|2[0-3]):[0-5][0-9]", "Write a time of day as 06:30.")] = Field(
        "06:00", description="The time of day from which it is sent."
    )
    mode: Literal["full", "delta"] = Field(
        "full", description="A delta: what changed since the delta before; of expiry notices: what was not told yet."
    )

    @model_validator(mode="after")
    def _fits(self) -> "ScheduledExport":
        if self.export != "payroll_feed" and self.every != "day":
            raise ValueError("Only a payroll feed has periods; other files are sent every day.")
        if self.export == "payroll_feed" and self.mode == "delta":
            raise ValueError("A payroll feed says all of its period.")
        return self
