"""When an EventBridge schedule fires, and when it last did: ``rate(…)`` and ``cron(…)`` expressions, in UTC."""

import calendar
import re
from datetime import datetime, timedelta

from chalicelib.errors import InvalidInput
from chalicelib.records import dataclass

_UNITS = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": timedelta(days=1)}
_MONTHS = {name.upper(): number for number, name in enumerate(calendar.month_abbr) if name}
_DAYS = {name: number for number, name in enumerate(("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"), start=1)}
_DAYS_MAX = 366 * 8


@dataclass(frozen=True, slots=True)
class Rate:
    """Fires when the hub starts and then at every multiple of ``every``."""

    every: timedelta

    def after(self, moment: datetime) -> datetime:
        """The next time to fire."""
        return moment + self.every


@dataclass(frozen=True, slots=True)
class Cron:
    """Fires at the minutes that all six fields allow; day of the week 1 is Sunday."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    years: frozenset[int]

    def after(self, moment: datetime) -> datetime:
        """The next time to fire. Raises InvalidInput when there is none within eight years."""
        midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
        for ahead in range(_DAYS_MAX):
            for fires_at in self._times(midnight + timedelta(days=ahead)):
                if fires_at > moment:
                    return fires_at
        raise InvalidInput("The schedule never fires.")

    def until(self, moment: datetime) -> datetime | None:
        """The latest time to fire up to a moment; None when there was none within eight years."""
        midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
        for back in range(_DAYS_MAX):
            past = [at for at in self._times(midnight - timedelta(days=back)) if at <= moment]
            if past:
                return past[-1]
        return None

    def _times(self, day: datetime) -> list[datetime]:
        """The times to fire on the day that begins at ``day``, in order."""
        if not self._allows(day):
            return []
        return [day.replace(hour=hour, minute=minute) for hour in sorted(self.hours) for minute in sorted(self.minutes)]

    def _allows(self, day: datetime) -> bool:
        return (
            day.year in self.years
            and day.month in self.months
            and day.day in self.days
            and day.isoweekday() % 7 + 1 in self.weekdays
        )


def parse(expression: str) -> Rate | Cron:
    """The schedule that an expression describes. Raises InvalidInput, also for EventBridge's L, W and #."""
    rate = re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", expression)
    if rate and int(rate[1]) > 0:
        return Rate(int(rate[1]) * _UNITS[rate[2]])
    cron = re.fullmatch(r"cron\((.+)\)", expression)
    fields = cron[1].split() if cron else []
    if len(fields) != 6:
        raise InvalidInput(f"{expression!r} is not a schedule: write rate(5 minutes) or cron(0 2 * * ? *).")
    minute, hour, day, month, weekday, year = fields
    return Cron(
        _values(minute, 0, 59),
        _values(hour, 0, 23),
        _values(day, 1, 31),
        _values(month, 1, 12, _MONTHS),
        _values(weekday, 1, 7, _DAYS),
        _values(year, 1970, 2199),
    )


def _values(field: str, lowest: int, highest: int, names: dict[str, int] | None = None) -> frozenset[int]:
    allowed: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        if span in {"*", "?"}:
            first, last = lowest, highest
        else:
            start, _, end = span.partition("-")
            first = _number(start, names)
            last = _number(end, names) if end else (highest if step else first)
        if not lowest <= first <= last <= highest:
            raise InvalidInput(f"{field!r} is not between {lowest} and {highest} in a schedule.")
        allowed |= set(range(first, last + 1, _number(step, None) if step else 1))
    return frozenset(allowed)


def _number(text: str, names: dict[str, int] | None) -> int:
    if names and text.upper() in names:
        return names[text.upper()]
    if not text.isdecimal():
        raise InvalidInput(f"{text!r} is not a number in a schedule.")
    return int(text)
