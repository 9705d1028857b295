"""The one place where the edge reads the clock; below it, ``now`` is passed in."""

from datetime import UTC, datetime


def now() -> datetime:
    """This moment, in UTC."""
    return datetime.now(UTC)
