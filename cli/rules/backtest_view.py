"""How a back-test is shown: sums by unit and program, who moves most and why, and which records change sides."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

RECORDS_SHOWN = 10
_MOVERS_SHOWN = 10
_CHANGES = ("more", "less", "without_points", "refused", "accepted")


def shown(found: Mapping[str, Any], records: Sequence[Mapping[str, Any]]) -> list[RenderableType]:
    """The report of one back-test."""
    head = Text(f"{found['id']}: {found['ruleset']} version {found['version']}, {found['state']}", style="bold")
    chosen = found["selection"]
    days = f"{chosen['from_date'] or 'the first event'} to {chosen['to_date'] or 'the latest'}"
    files = f", {len(chosen['file_ids'])} files" if chosen["file_ids"] else ""
    head.append(f"\n{found['events_done']:,} events, {days}{files}", style="not bold")
    for one in found["decided_by"]:
        head.append(f"\n  {one['events']:,} decided then by {one['ruleset']} version {one['version']}", "not bold dim")
    if found["reason"]:
        head.append(f"\n{found['reason']} ({found['reason_code']})", style="not bold red")
    parts: list[RenderableType] = [head]
    if found["programs"]:
        parts.append(_programs(found))
    if found["reasons"]:
        parts.append(_reasons(found["reasons"]))
    if found["members_moved"]:
        parts.append(_members(found["members_moved"]))
        parts += _why(found["events_moved"])
    elif found["state"] == "done":
        parts.append(Text("Nothing moves: nobody would get other points.", style="green"))
    if records:
        parts.append(_records(records))
    return parts


def _table(title: str, *columns: str, left: Sequence[str] = ()) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in columns:
        table.add_column(column, justify="left" if column in left else "right", no_wrap=column not in left)
    return table


def _programs(found: Mapping[str, Any]) -> Table:
    columns = ("program", "events", "then", "now", "difference", "members changed", "more", "less", "none", "refused")
    table = _table("Points by program and unit", *columns, "accepted", left=("program",))
    for one in found["programs"]:
        sums = (one["points_then"], one["points_now"], _signed(one["difference"]))
        members = f"{one['members_changed']} of {one['members']}"
        changes = (str(one["changes"][change]) for change in _CHANGES)
        table.add_row(f"{one['program_code']} ({one['unit']})", f"{one['events']:,}", *sums, members, *changes)
    for one in found["units"]:
        sums = (one["points_then"], one["points_now"], _signed(one["difference"]))
        table.add_row(f"all {one['unit']}", "", *sums, style="bold")
    return table


def _reasons(reasons: Sequence[Mapping[str, Any]]) -> Table:
    table = _table("Records that change sides", "change", "because", "records", left=("change", "because"))
    for one in reasons:
        change = "refused now" if one["change"] == "refused" else "accepted now"
        table.add_row(change, one["reason"], f"{one['records']:,}")
    return table


def _members(members: Sequence[Mapping[str, Any]]) -> Table:
    columns = ("employee", "program", "events changed", "then", "now", "difference", "most by event")
    table = _table("Who moves most", *columns, left=("employee", "program", "most by event"))
    for one in members[:_MOVERS_SHOWN]:
        biggest = one["biggest"]
        event = "" if biggest is None else f"{biggest['event_id']} of {biggest['event_date']}"
        table.add_row(
            one["employee_id"],
            one["program_code"],
            f"{one['changed']} of {one['events']}",
            one["points_then"],
            one["points_now"],
            _signed(one["difference"]),
            event,
        )
    return table


def _why(events: Sequence[Mapping[str, Any]]) -> list[RenderableType]:
    """The biggest event with what both versions say of it."""
    if not events:
        return []
    one = events[0]
    text = Text("The event that moves most: ", style="bold")
    text.append(f"{one['event_id']} of {one['event_date']}, {one['points_then']} -> {one['points_now']}", "not bold")
    for word, trace in (("then", one["trace_then"]), ("now", one["trace_now"])):
        if trace and trace.get("sentence"):
            text.append(f"\n  {word:<5}", style="bold").append(trace["sentence"], style="not bold")
    if one["refused_because"]:
        text.append(f"\n  refused: {one['refused_because']}", style="not bold red")
    return [text]


def _records(records: Sequence[Mapping[str, Any]]) -> Table:
    columns = ("change", "event", "day", "program", "then", "now", "because")
    table = _table(
        f"The first {RECORDS_SHOWN} of them", *columns, left=("change", "event", "day", "program", "because")
    )
    for one in records:
        table.add_row(
            one["change"],
            one["event_id"],
            one["event_date"],
            one["program_code"],
            one["points_then"],
            one["points_now"],
            one["message"] or one["code"] or "",
        )
    return table


def _signed(difference: str) -> str:
    return difference if difference.startswith("-") else f"+{difference}"
