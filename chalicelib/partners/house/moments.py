"""Moments that outside systems write: ISO 8601 with an offset."""

import re
from datetime import UTC, datetime
from typing import Final

_MOMENT: Final = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?(?:Z|[+-]\d{2}:\d{2})", re.ASCII)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def parsed(text: str) -> datetime | None:
    """The moment in UTC; None for what is none, or says no offset."""
    if not _MOMENT.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def number(moment: datetime) -> int:
    """The moment as microseconds since 1970: a number that grows."""
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def written(moment: datetime) -> str:
    """The moment as ``parsed`` reads it."""
    return moment.astimezone(UTC).isoformat()
