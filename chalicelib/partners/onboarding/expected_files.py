"""What a manifest says about the files that a partner sends regularly."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from chalicelib.web.shapes import Day, Written

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


class ExpectedFile(BaseModel):
    """One file that comes again and again. Days and times are the partner's; without days it comes every day."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)

    layout: str = Field(min_length=1, max_length=64, description="Name of the layout: the folder it is put into.")
    since: Day = Field(description="The first day on which it may be due.")
    due: Annotated[str, Written("([01][0-9]|2[0-3]):[0-5][0-9]", "Write a time of day as 06:30.")] = Field(
        description="The time of day by which it should be there."
    )
    weekdays: list[Weekday] | None = Field(None, min_length=1, description="Only on these days of the week.")
    month_days: list[Annotated[int, Field(ge=1, le=31)]] | None = Field(
        None, min_length=1, description="Only on these days of the month; in shorter months on the last day."
    )
    grace_minutes: int = Field(60, ge=0, le=2880, description="How much later it may come before anybody is told.")
    small_percent: int = Field(
        50, ge=0, le=100, description="A file with fewer rows than this share of the usual number is unusually small."
    )
