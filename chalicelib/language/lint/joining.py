"""Two rulesets as one document whose only output says whether both conditions hold."""

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from typing import Any

BOTH = "both"
# Begins the names of definitions of the first and of the second, which may define the same name differently.
_MARKS = ("1: ", "2: ")

# The first and the last day of a period, both included; None: open.
Days = tuple[date | None, date | None]
Raw = Mapping[str, Any]


def joined_inputs(first: Raw, second: Raw, nullable: Callable[[Iterable[object]], bool]) -> dict[str, Any] | None:
    """The inputs of both, each as narrow as the narrower declaration; None when no record suits both.

    ``nullable``, ``any`` or ``all``: whether an input is that is nullable in one of them only.
    """
    left, right = (document.get("inputs") or {} for document in (first, second))
    found: dict[str, Any] = {}
    for name in {**left, **right}:
        if name not in left or name not in right:
            found[name] = left.get(name) or right.get(name)
            continue
        one, other = left[name], right[name]
        found[name] = {**one, **other, "nullable": nullable(bool(each.get("nullable")) for each in (one, other))}
        lists = [each["values"] for each in (one, other) if "values" in each]
        if lists:
            found[name]["type"] = "enum"
            found[name]["values"] = [value for value in lists[0] if value in lists[-1]]
            if not found[name]["values"]:
                return None
    return found


def joined_rule(first: Raw, second: Raw, inputs: Raw, days: Days) -> dict[str, Any]:
    """A ruleset with one boolean output: both apply to the record, on one of ``days``."""
    lets: dict[str, Any] = {}
    tables: dict[str, Any] = {}
    conditions: list[Any] = []
    limits = [{"<=": [str(days[0]), {"var": "as_of"}]}] if days[0] else []
    limits += [{"<=": [{"var": "as_of"}, str(days[1])]}] if days[1] else []
    alike = _alike(first, second)
    for document, mark in zip((first, second), _MARKS, strict=True):
        names = frozenset(_definitions(document)) - alike
        for name, one in (document.get("let") or {}).items():
            lets[_called(name, names, mark)] = _marked(one, names, mark)
        for name, one in (document.get("tables") or {}).items():
            columns = [_called(column, names, mark) for column in one["in"]]
            tables[_called(name, names, mark)] = {**one, "in": columns}
        conditions.append(_marked(document.get("when", True), names, mark))
    return {
        "kind": "mapping",
        "inputs": inputs,
        "aggregates": {**(first.get("aggregates") or {}), **(second.get("aggregates") or {})},
        "let": lets,
        "tables": tables,
        "outputs": {BOTH: {"type": "boolean", "expr": {"and": [*limits, *conditions]}}},
    }


def _definitions(document: Raw) -> dict[str, Any]:
    """Names and tables, each as both, because a table may be called as a name is."""
    lets, tables = document.get("let") or {}, document.get("tables") or {}
    return {name: (lets.get(name), tables.get(name)) for name in {**lets, **tables}}


def _alike(first: Raw, second: Raw) -> frozenset[str]:
    """Definitions that both write in the same words, with everything that they use."""
    left, right = _definitions(first), _definitions(second)
    alike = {name for name in left if name in right and left[name] == right[name]}
    known = left.keys() | right.keys()
    while True:
        broken = {name for name in alike if not (_mentioned(left[name]) & known) <= alike}
        if not broken:
            return frozenset(alike)
        alike -= broken


def _mentioned(raw: Any) -> set[str]:  # noqa: ANN401 - an expression as JSON has it
    """Every text in an expression that could be a name."""
    found: set[str] = set()
    pending = [raw]
    while pending:
        current = pending.pop()
        if isinstance(current, Mapping):
            pending.extend(current.values())
        elif isinstance(current, list | tuple):
            pending.extend(current)
        elif isinstance(current, str):
            found.add(_root(current))
    return found


def _called(name: str, names: frozenset[str], mark: str) -> str:
    return mark + name if _root(name) in names else name


def _marked(raw: Any, names: frozenset[str], mark: str) -> Any:  # noqa: ANN401 - an expression as JSON has it
    """An expression whose definitions are called by their marked names."""
    if isinstance(raw, list | tuple):
        return [_marked(item, names, mark) for item in raw]
    if not isinstance(raw, Mapping):
        return raw
    if len(raw) == 1:
        [(operator, written)] = raw.items()
        argument = written[0] if isinstance(written, list | tuple) and written else written
        if operator == "var" and isinstance(argument, str):
            return {"var": _called(argument, names, mark)}
        if operator == "table" and isinstance(written, list | tuple):
            return {"table": [_called(str(argument), names, mark), *written[1:]]}
    return {key: _marked(value, names, mark) for key, value in raw.items()}


def _root(name: str) -> str:
    return name.partition(".")[0]
