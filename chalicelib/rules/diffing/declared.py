"""What differs between declarations: what a document says about itself, inputs, sums, outputs, cases, a file's form."""

from collections.abc import Iterator, Mapping
from dataclasses import fields
from types import MappingProxyType
from typing import Any, Final

from chalicelib.language.declared import Declared, DeclaredOutput
from chalicelib.language.faults import at
from chalicelib.language.kinds import json_value
from chalicelib.rules.diffing.change import Change, Kind, Pair
from chalicelib.rules.diffing.forms import constant
from chalicelib.rules.layouts import Column, Control, Format
from chalicelib.rules.rendering.markdown import case_expects, case_given, in_force
from chalicelib.rules.rendering.parts import aggregate, form, read_input, read_output
from chalicelib.rules.rendering.phrases import listed

_ABOUT: Final = ("id", "kind", "partner", "owner", "title", "description", "why", "program", "target", "entity")
_FILE: Final = ("name", "rank", "mode", "terminate_share_max", "partner_column")
_FLAGS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "required": ("now must be there", "now may be left out"),
        "nullable": ("now nullable", "no longer nullable"),
        "personal": ("now personal", "no longer personal"),
        "omit_null": ("now left out when it has no value", "no longer left out when it has no value"),
    }
)
#: Cases say these; everything else about one is its name.
_CASE: Final = ("as_of", "given", "aggregates", "code_tables", "expect", "why", "description")


def about(pair: Pair) -> Iterator[Change]:
    """What the document says about itself."""
    for key in _ABOUT:
        left, right = pair.before.get(key), pair.after.get(key)
        if left != right:
            told = f"{key}: {_short(left)} → {_short(right)}"
            yield pair.change("about", told, at("", key), at("", key))
    periods = [_period(document.get("effective")) for document in (pair.before, pair.after)]
    if periods[0] != periods[1]:
        was, now = (in_force(document.get("effective")) for document in (pair.before, pair.after))
        yield pair.change("period", f"{was} → {now[0].lower()}{now[1:]}", "/effective", "/effective")


def inputs(pair: Pair) -> Iterator[Change]:
    """The facts that a rule reads, and the sums."""
    yield from _named(pair, "inputs", "input", read_input)
    left, right = pair.part("aggregates")
    for name, was, now in _both(left, right):
        pointers = _pointers("aggregates", name, was, now)
        if was is None or now is None:
            told = f"new sum {name}: {aggregate(now)}" if was is None else f"sum {name} removed"
            yield pair.change("sum", told, *pointers)
        elif _sum(was) != _sum(now):
            yield pair.change("sum", f"sum {name}: {aggregate(was)} → {aggregate(now)}", *pointers)
        elif was.get("description") != now.get("description"):
            yield pair.change("sum", f"sum {name}: other description", *pointers)


def outputs(pair: Pair) -> Iterator[Change]:
    """What a rule gives, its values apart."""
    yield from _named(pair, "outputs", "output", read_output)


def cases(pair: Pair) -> Iterator[Change]:
    """The examples, by their names."""
    left, right = (_cases(document) for document in (pair.before, pair.after))
    gone = {name: found for name, found in left.items() if name not in right}
    new = {name: found for name, found in right.items() if name not in left}
    for name, (place, case) in gone.items():
        same = next((other for other, (_, one) in new.items() if _said(one) == _said(case)), None)
        if same is None:
            yield pair.change("case", f"case “{name}” removed", at("/cases", place), None)
            continue
        now, _ = new.pop(same)
        yield pair.change("case", f"case “{name}” is now called “{same}”", at("/cases", place), at("/cases", now))
    for name, (place, case) in new.items():
        told = f"new case “{name}”: {case_given(case)} on {case.get('as_of')}: {case_expects(case)}"
        yield pair.change("case", told, None, at("/cases", place))
    for name, (place, case) in left.items():
        if name in right and _said(case) != _said(right[name][1]):
            now, other = right[name]
            told = f"case “{name}”: {_case_changed(case, other)}"
            yield pair.change("case", told, at("/cases", place), at("/cases", now))


def file(pair: Pair) -> Iterator[Change]:
    """The form of a layout's files, and their columns."""
    for key in _FILE:
        left, right = (_file_value(document, key) for document in (pair.before, pair.after))
        if left != right:
            yield pair.change(
                "file", f"{key.replace('_', ' ')}: {_short(left)} → {_short(right)}", f"/{key}", f"/{key}"
            )
    for key, model in (("format", Format), ("control", Control)):
        parts = [model.model_validate(dict(part)).model_dump() for part in pair.part(key)]
        for name, was in parts[0].items():
            now = parts[1][name]
            if was != now:
                told = f"{key} {name.replace('_', ' ')}: {_short(was)} → {_short(now)}"
                yield pair.change("file", told, at("", key, name), at("", key, name))
    left, right = pair.part("columns")
    for name, was, now in _both(left, right):
        pointers = _pointers("columns", name, was, now)
        if was is None or now is None:
            yield pair.change("column", f"new column {name}" if was is None else f"column {name} removed", *pointers)
            continue
        one, other = _column(name, was), _column(name, now)
        for key, value in one.items():
            if value != other[key]:
                told = f"column {name}: {key} {_short(value)} → {_short(other[key])}"
                yield pair.change("column", told, *pointers)


def fields_of_layout(pair: Pair) -> Iterator[Change]:
    """The fields that a layout gives, their values apart."""
    left, right = pair.part("fields")
    for name, was, now in _both(left, right):
        pointers = _pointers("fields", name, was, now)
        if was is None or now is None:
            yield pair.change("output", f"new field {name}" if was is None else f"field {name} removed", *pointers)
            continue
        for key in ("rounding", "description"):
            if was.get(key) != now.get(key):
                told = f"field {name}: {key} {_short(was.get(key))} → {_short(now.get(key))}"
                yield pair.change("output", told, *pointers)


def _named(pair: Pair, key: str, kind: Kind, read: Any) -> Iterator[Change]:  # noqa: ANN401 - a reader of declarations
    left, right = pair.part(key)
    for name, was, now in _both(left, right):
        pointers = _pointers(key, name, was, now)
        if was is None:
            yield pair.change(kind, f"new {kind} {name}: {form(read(now))}", *pointers)
        elif now is None:
            yield pair.change(kind, f"{kind} {name} removed", *pointers)
        elif constant(was) != constant(now):
            for told in declared(read(was), read(now)):
                yield pair.change(kind, f"{kind} {name}: {told}", *pointers)
            if was.get("description") != now.get("description"):
                yield pair.change(kind, f"{kind} {name}: other description", *pointers)


def declared(left: Any, right: Any) -> Iterator[str]:  # noqa: ANN401 - two declarations of one kind
    """What differs between two declarations of an input, an output, or a part of one."""
    if left is None or right is None or left.type != right.type:
        yield f"{form(left)} → {form(right)}"
        return
    for name in (field.name for field in fields(Declared if isinstance(left, Declared) else DeclaredOutput)):
        was, now = getattr(left, name), getattr(right, name)
        if name in {"type", "columns", "empty_is_null"} or was == now:
            continue
        if name == "items":
            yield from (f"each item: {told}" for told in declared(was, now))
        elif name == "fields":
            yield from _fields(was or {}, now or {})
        elif name == "values":
            yield from _values(was, now)
        elif name == "required" and left.nullable != right.nullable:
            # By default they go together; null is what is told.
            continue
        elif name in _FLAGS:
            yield _FLAGS[name][0 if now else 1]
        else:
            yield f"{name} {_short(was)} → {_short(now)}"


def _fields(left: Mapping[str, Any], right: Mapping[str, Any]) -> Iterator[str]:
    for name, was, now in _both(left, right):
        if was is None or now is None:
            yield f"new field {name}: {form(now)}" if was is None else f"field {name} removed"
        else:
            yield from (f"field {name}: {told}" for told in declared(was, now))


def _values(left: tuple[str, ...], right: tuple[str, ...]) -> Iterator[str]:
    gone, new = [one for one in left if one not in right], [one for one in right if one not in left]
    if new:
        yield f"may also be {listed(new, 'or')}"
    if gone:
        yield f"may no longer be {listed(gone, 'or')}"


def _both(left: Mapping[str, Any], right: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    for name in dict.fromkeys([*left, *right]):
        yield name, left.get(name), right.get(name)


def _pointers(key: str, name: str, was: object, now: object) -> tuple[str | None, str | None]:
    place = at("", key, name)
    return None if was is None else place, None if now is None else place


def _period(raw: object) -> tuple[object, object]:
    return (raw.get("from"), raw.get("to")) if isinstance(raw, Mapping) else (None, None)


def _sum(raw: Mapping[str, Any]) -> object:
    return (raw.get("of"), raw.get("period"), raw.get("back", 0))


def _cases(document: Mapping[str, Any]) -> dict[str, tuple[int, Mapping[str, Any]]]:
    return {str(one.get("name")): (place, one) for place, one in enumerate(document.get("cases") or ())}


def _said(case: Mapping[str, Any]) -> object:
    return constant({key: case.get(key) or None for key in _CASE})


def _case_changed(case: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    told = []
    for words, tell in (("given", case_given), ("expects", case_expects), ("on", lambda one: str(one.get("as_of")))):
        was, now = tell(case), tell(other)
        if was != now:
            told.append(f"{words} {was} → {now}")
    return "; ".join(told) or "other remarks"


def _file_value(document: Mapping[str, Any], key: str) -> object:
    value = document.get(key, "delta" if key == "mode" else None)
    return None if value is None else constant(value)[-1] if not isinstance(value, str) else value  # type: ignore[index]


def _column(name: str, raw: Mapping[str, Any]) -> dict[str, object]:
    column = Column.model_validate(dict(raw))
    return {
        "header": column.header or name,
        "required": column.required,
        "may be empty": column.may_be_empty,
        "personal": column.personal,
        "description": column.description,
        "sample": column.sample,
    }


def _short(value: object) -> str:
    shown = json_value(value)
    if isinstance(shown, list):
        return listed(map(str, shown)) or "nothing"
    return {None: "nothing", True: "yes", False: "no"}.get(shown, str(shown)) if _is_word(shown) else str(shown)


def _is_word(value: object) -> bool:
    return value is None or isinstance(value, bool)
