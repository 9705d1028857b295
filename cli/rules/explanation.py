"""How one decision is shown: the sentence, the clauses, the table rows, and every value on the way to each output."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from rich.console import RenderableType
from rich.text import Text
from rich.tree import Tree

_VALUE_MAX = 100
_PLAIN = "cyan not bold"
#: Of conditions, by how they came out.
_STYLES = {True: "green not bold", False: "red not bold"}
_PARTS = (("when", "When"), ("let", "Let"), ("tables", "Tables"), ("outputs", "Outputs"), ("fields", "Fields"))


@dataclass
class _Place:
    """A place of the document: its value, if it was needed, and the places inside."""

    value: object = None
    known: bool = False
    parts: "dict[str, _Place]" = field(default_factory=dict)


def shown(found: Mapping[str, Any], document: Mapping[str, Any]) -> list[RenderableType]:
    """A simulation's answer, for people; ``document`` is the rule that was asked."""
    trace = found["trace"]
    shown: list[RenderableType] = [_headline(found)]
    shown += [
        Text(f"  {fault['pointer']}  {fault['message']} ({fault['code']})", style="red") for fault in found["faults"]
    ]
    if not trace:
        return shown
    shown.append(Text(f"\n{trace['sentence']}\n"))
    held = {one["pointer"]: one["held"] for one in trace["conditions"]}
    telling = _Telling(document, held, {one["table"]: one["row"] for one in trace["tables"]})
    shown += [telling.tree(title, name, place) for name, title, place in _parts(trace)]
    if trace["lookups"]:
        shown.append(_lookups(trace["lookups"]))
    then = found.get("then")
    if then is not None:
        points = f"Posted then: {then['points']} by {then['ruleset']} version {then['version']}"
        shown.append(Text(f"\n{points}, for {then['event_date']}.", style="dim"))
    return shown


def _headline(found: Mapping[str, Any]) -> Text:
    match found["outcome"]:
        case "decided":
            outputs = ", ".join(f"{name} = {_short(value)}" for name, value in found["outputs"].items())
            return Text(outputs, style="bold green")
        case "not_applicable":
            return Text("The rule does not apply: nothing is decided.", style="bold yellow")
    return Text("The record is refused.", style="bold red")


@dataclass(frozen=True, slots=True)
class _Telling:
    """What the document says at each place, how its conditions came out, and which row of each table was hit."""

    document: Mapping[str, Any]
    held: Mapping[str, bool]
    rows: Mapping[str, object]

    def tree(self, title: str, name: str, place: _Place) -> Tree:
        """One part of the document with every value in it."""
        tree = Tree(self._said(f"/{name}", place, title, "bold"), guide_style="dim")
        for step, part in place.parts.items():
            if name == "when":
                self._grow(tree, f"/{name}/{step}", part)
            else:
                self._named(tree, f"/{name}/{step}", step, part)
        return tree

    def _named(self, tree: Tree, pointer: str, name: str, place: _Place) -> None:
        """A definition, a table or an output, which has a name; an output's expression is told with it."""
        row = f"{name}, row {self.rows[name]}" if name in self.rows and pointer.startswith("/tables/") else name
        branch = tree.add(self._said(pointer, place, row, "default"))
        for step, part in place.parts.items():
            self._grow(branch, f"{pointer}/{step}", part)

    def _grow(self, tree: Tree, pointer: str, place: _Place) -> None:
        """Add a place and what is in it. Operators have no value of their own: their parts stand in their stead."""
        branch = tree
        if place.known and not pointer.endswith("/expr"):
            branch = tree.add(self._said(pointer, place, self._words(pointer), "default"))
        for step, part in place.parts.items():
            self._grow(branch, f"{pointer}/{step}", part)

    def _words(self, pointer: str) -> str:
        from chalicelib.rules.rendering.words import Words

        raw = value_at(self.document, pointer)
        # The columns of a table are written by their names.
        if isinstance(raw, str) and pointer.startswith("/tables/"):
            return raw
        return _short(Words().of(raw))

    def _said(self, pointer: str, place: _Place, words: str, style: str) -> Text:
        said = Text(words, style=style)
        if place.known:
            style = _STYLES[self.held[pointer]] if pointer in self.held else _PLAIN
            said.append(" = ", style="dim").append(_short(place.value), style=style)
        return said


def value_at(document: Any, pointer: str) -> Any:  # noqa: ANN401 - any JSON value
    """What stands at a JSON Pointer; None where nothing does."""
    for step in pointer.split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(document, Mapping):
            document = document.get(name)
        elif isinstance(document, list) and name.isdigit() and int(name) < len(document):
            document = document[int(name)]
        else:
            # One argument may be written without its list.
            return document if name == "0" else None
    return document


def _parts(trace: Mapping[str, Any]) -> Iterator[tuple[str, str, _Place]]:
    root = _Place()
    for pointer, value in trace["values"].items():
        place = root
        for step in pointer.split("/")[1:]:
            place = place.parts.setdefault(step.replace("~1", "/").replace("~0", "~"), _Place())
        place.value, place.known = value, True
    for name, title in _PARTS:
        if name in root.parts:
            yield name, title, root.parts[name]


def _lookups(lookups: Any) -> Tree:  # noqa: ANN401 - a JSON document
    tree = Tree(Text("Looked up", style="bold"), guide_style="dim")
    for one in lookups:
        tree.add(Text(", ".join(f"{name} {_short(value)}" for name, value in one.items())))
    return tree


def _short(value: object) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(map(_short, value))
    text = str(value)
    return text if len(text) <= _VALUE_MAX else f"{text[: _VALUE_MAX - 1]}…"
