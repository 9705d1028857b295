"""Days and moments on the command line: what cannot be read is wrong usage, told before the hub is asked."""

from datetime import date, datetime

import typer


def day(text: str) -> str:
    """A day as the hub takes it. Raises BadParameter."""
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError as error:
        raise typer.BadParameter("write a day as YYYY-MM-DD, such as 2026-11-20.") from error


def moment(text: str) -> str:
    """A moment as the hub takes it. Raises BadParameter, also for one without an offset from UTC."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise typer.BadParameter("write a moment with its offset from UTC, such as 2027-01-01T00:00:00Z.")
    return found.isoformat()
