"""One ledger entry's lineage for people: the story first (points, rule, row, file, who was told), then the reasons."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich.table import Table
from rich.text import Text

_HASH_SHOWN = 12
_TEXT_MAX = 160


def told(found: Mapping[str, Any]) -> list[Table | Text]:
    """What `hub lineage` shows of a lineage document; ``--json`` has all of it."""
    decided = found["decided"]
    story = _grid()
    for name, text in _story(found):
        story.add_row(name, text)
    shown: list[Table | Text] = [_headline(found), story]
    if decided is not None:
        shown += [Text("\nWhat the rule was given", style="bold"), _given(decided)]
        shown += [Text("\nWhat it made of that", style="bold"), _made(decided["trace"])]
    return shown


def _headline(found: Mapping[str, Any]) -> Text:
    entry = found["entry"]
    posted = f"  {entry['kind']} of {entry['business_date']}, entry {entry['entry_no']} of {found['member_id']}"
    return Text.assemble((entry["amount"], "bold"), posted)


def _story(found: Mapping[str, Any]) -> Iterator[tuple[str, Text]]:
    decided = found["decided"]
    if found["cause"] is not None:
        yield from _cause(found["cause"])
    for lot in found["taken"]:
        opened = f"the {lot['opened_by']['kind']} of {lot['opened_by']['business_date']} ({lot['lot_id']})"
        if lot["points"].startswith("-"):
            yield "gave back", Text(f"{lot['points'][1:]} to {opened}")
        else:
            yield "took", Text(f"{lot['points']} of {opened}")
    if decided is not None:
        accrual, rule = decided["accrual"], decided["rule"]
        yield "event", Text(f"{accrual['event_id']}: {accrual['event_type']} of {accrual['event_date']}")
        yield "rule", Text(f"{rule['ruleset']} version {rule['number']} (sha256 {rule['content_hash'][:_HASH_SHOWN]}…)")
        if decided["agrees"] is not None:
            verdict = "the same" if decided["agrees"] else "NOT what was posted"
            style = "green" if decided["agrees"] else "bold red"
            yield "decided again", Text(f"{decided['recomputed']}, {verdict}", style=style)
        yield from _origin(decided)
    carried = found["carried"]
    if carried is None:
        yield "told to", Text("nobody yet", style="yellow")
    else:
        how = f"{carried['delivery_id']}, attempt {carried['attempt']}, confirmed {carried['confirmed_at']}"
        yield "told to", Text(f"{carried['target']} by {how}")


def _cause(cause: Mapping[str, Any]) -> Iterator[tuple[str, Text]]:
    yield "asked by", Text(f"{cause['actor'] or 'the schedule'}, {cause['at']}, trace id {cause['correlation_id']}")
    if cause["decided_by"] is not None:
        yield "agreed by", Text(cause["decided_by"])
    for name, what in (("reference", "reference"), ("order_no", "order"), ("reason", "because")):
        if cause[name] is not None:
            yield what, Text(_short(cause[name]).plain)
    for name in ("hold_id", "tender_id", "redemption_id", "accrual_id"):
        if cause[name] is not None:
            yield name.removesuffix("_id"), Text(cause[name])
    if cause["source"] is not None:
        yield from _row(cause["source"])


def _origin(decided: Mapping[str, Any]) -> Iterator[tuple[str, Text]]:
    source, accrual = decided["source"], decided["accrual"]
    if source is None:
        yield "came by", Text(f"API, from {accrual['actor']}, trace id {accrual['correlation_id']}")
        return
    yield from _row(source)


def _row(source: Mapping[str, Any]) -> Iterator[tuple[str, Text]]:
    hidden = Text("hidden: it has personal columns, and the key lacks members:personal", style="yellow")
    yield "row", Text(f"{source['row_no']} ({source['byte_length']} bytes at {source['byte_offset']})")
    yield "", hidden if source["raw"] is None else Text(source["raw"], style="cyan")
    yield "file", Text(f"{source['file_name']}, layout {source['layout']}, {source['file_id']}")
    yield "", Text(f"sha256 {source['sha256']}", style="dim")


def _given(decided: Mapping[str, Any]) -> Table:
    facts = decided["facts"]
    grid = _grid()
    grid.add_row("as of", _short(decided["trace"]["as_of"]))
    for kind in ("inputs", "aggregates"):
        for name, value in facts.get(kind, {}).items():
            grid.add_row(name, _short(value))
    for table, asked in facts.get("lookups", {}).items():
        for code, value in asked.items():
            grid.add_row(f"{table}, {code}", _short(value))
    return grid


def _made(trace: Mapping[str, Any]) -> Table:
    grid = _grid()
    for name, value in (trace.get("let") or {}).items():
        grid.add_row(name, _short(value))
    for one in trace.get("tables") or ():
        grid.add_row(f"table {one['table']}", Text(f"row {one['row']}"))
    for one in trace.get("conditions") or ():
        grid.add_row(one["pointer"], Text("held" if one["held"] else "did not hold", style="dim"))
    for name, value in (trace.get("outputs") or {}).items():
        grid.add_row(name, _short(value))
    return grid


def _grid() -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    return grid


def _short(value: object) -> Text:
    text = "nothing" if value is None else str(value)
    return Text(text if len(text) <= _TEXT_MAX else f"{text[: _TEXT_MAX - 1]}…")
