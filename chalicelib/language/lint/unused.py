"""What a document declares and nothing reads that the rule decides."""

from collections.abc import Iterator

from chalicelib.language.faults import at
from chalicelib.language.lint.findings import Finding, finding
from chalicelib.language.lint.subject import Subject
from chalicelib.language.places import HIT
from chalicelib.language.tables import Table
from chalicelib.language.tree import Apply, Const, Fact, Form, Node, Shared, walk


def unused(subject: Subject) -> Iterator[Finding]:
    """Inputs, names, tables, result columns and sums without a reader. A file's columns are the file's own affair."""
    program = subject.program
    roots = [*program.outputs.values(), *filter(None, [program.condition])]
    used = _names(subject, roots)
    # What only unused definitions read is unused as well, and says by whom it is read.
    readers = {
        name: definition for name, definition in program.shared.items() if name not in used and not name.startswith(HIT)
    }
    for name, definition in program.shared.items():
        title = name.removeprefix(HIT)
        if name not in used:
            what = "table" if name.startswith(HIT) else "let"
            yield _finding(definition.pointer, what, title, _reader(readers, Shared, name))
        elif name.startswith(HIT):
            yield from _columns(name, definition, [*roots, *program.shared.values()])
    if subject.origin.shown_by_cases:
        for name in subject.inputs:
            if name not in used:
                yield _finding(at(subject.origin.inputs, name), "input", name, _reader(readers, Fact, name))
    for name in subject.aggregates:
        if name not in used:
            yield _finding(at("/aggregates", name), "aggregate", name, _reader(readers, Fact, name))


def _names(subject: Subject, roots: list[Node]) -> set[str]:
    """Facts and definitions that the roots read, through definitions."""
    used: set[str] = set()
    pending = list(roots)
    while pending:
        for node in walk(pending.pop()):
            if isinstance(node, Fact | Shared) and node.name not in used:
                used.add(node.name)
                if isinstance(node, Shared):
                    pending.append(subject.program.shared[node.name])
    return used


def _reader(readers: dict[str, Node], kind: type[Fact | Shared], name: str) -> str | None:
    """An unused definition that reads ``name``."""
    for reader, definition in readers.items():
        if any(isinstance(part, kind) and part.name == name for part in walk(definition)):
            return reader
    return None


def _columns(name: str, definition: Node, readers: list[Node]) -> Iterator[Finding]:
    if not isinstance(definition, Apply) or not isinstance(definition.function.data, Table):
        return
    read = {
        part.arguments[1].value
        for root in readers
        for part in walk(root)
        if isinstance(part, Apply)
        and part.function.form is Form.SUBSCRIPT
        and isinstance(part.arguments[0], Shared)
        and part.arguments[0].name == name
        and isinstance(part.arguments[1], Const)
    }
    for column, (place, _) in definition.function.data.columns.items():
        if place not in read:
            title = f"{column} of table {name.removeprefix(HIT)}"
            yield _finding(at(definition.pointer, "out", place), "column", title, None)


def _finding(pointer: str, what: str, name: str, reader: str | None) -> Finding:
    message = f"{name} is used by nothing" if reader is None else f"{name} is used by {reader} only, which nothing uses"
    mend = f"remove {name}" if reader is None else f"remove {name} with {reader}"
    return finding(pointer, f"unused_{what}", message, f"{mend}, or use it")
