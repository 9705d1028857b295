"""A whole rule document in plain words, as Markdown: for who approves a rule, or asks what it says.

It is made of the document alone and says everything that decides, in the document's own order. Texts of the author are
escaped, so that none of them is taken for Markdown or HTML.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from chalicelib.language.cases import APPLIES, REFUSED
from chalicelib.language.compile import DECIDES
from chalicelib.language.declared import DeclaredOutput
from chalicelib.language.parse import OBJECT, Call, Fields, Tree
from chalicelib.rules.rendering.columns import compiled, table_of, texts
from chalicelib.rules.rendering.layouts import layout_sections
from chalicelib.rules.rendering.parts import (
    aggregate,
    bullets,
    escaped,
    form,
    given,
    grid,
    kind,
    read_input,
    read_output,
    remarks,
    table,
)
from chalicelib.rules.rendering.words import Words, arms, parsed

if TYPE_CHECKING:
    from chalicelib.language.coverage import Coverage

_TITLES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "accrual": "An accrual rule",
        "eligibility": "An eligibility rule",
        "enrolment": "An enrolment rule",
        "routing": "A routing rule",
        "validation": "A validation rule",
        "mapping": "A mapping",
        "layout": "A file layout",
    }
)
_DAYS: Final[Mapping[str, str]] = MappingProxyType({"accrual": "the day of the event"})


def render(document: Mapping[str, Any], *, version: int | None = None, coverage: "Coverage | None" = None) -> str:
    """The document as Markdown; ``coverage`` is what its cases are known to reach."""
    about = str(document.get("kind", ""))
    words = Words({"as_of": _DAYS.get(about, "the day of the decision")})
    number = "" if version is None else f", version {version}"
    lines = [f"# {escaped(document.get('id', 'A rule'))}{number}", "", *_head(document, about)]
    if about == "layout":
        lines.extend(layout_sections(document, words))
    else:
        lines.extend(_inputs(document))
        lines.extend(_when(document, words))
    lines.extend(_definitions(document, words))
    tables = _mapping(document, "tables")
    rule = compiled(document) if tables else None
    for name, raw in tables.items():
        if isinstance(raw, Mapping):
            lines.extend(table(name, raw, words, texts(table_of(rule, name))))
    lines.extend(_outputs(document, words))
    lines.extend(_cases(document))
    lines.extend(_coverage(coverage))
    return "\n".join(lines).rstrip() + "\n"


def _mapping(document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = document.get(key)
    return found if isinstance(found, Mapping) else {}


def _head(document: Mapping[str, Any], about: str) -> list[str]:
    decides = DECIDES.get(about)
    what = f"{_TITLES.get(about, escaped(about))}."
    if decides is not None:
        what = f"{_TITLES[about]}: it decides {decides.meaning}."
    elif about == "mapping" and document.get("target"):
        entity, target = escaped(document.get("entity")), escaped(document.get("target"))
        what = f"A mapping: what {target} is told about a {entity}."
    lines = [what, ""]
    lines.extend(escaped(document[key]) + "\n" for key in ("title", "description") if document.get(key))
    if document.get("why"):
        lines += [f"**Why:** {escaped(document['why'])}", ""]
    partner = document.get("partner")
    whose = f"for partner {escaped(partner)}" if partner else "for every partner"
    program = f", program {escaped(document['program'])}" if document.get("program") else ""
    return [
        *lines,
        f"- Owned by {escaped(document.get('owner', 'nobody'))}, {whose}{program}.",
        f"- {in_force(document.get('effective'))}.",
        "",
    ]


def in_force(period: object) -> str:
    """When a document may decide."""
    first, last = (period.get(key) for key in ("from", "to")) if isinstance(period, Mapping) else (None, None)
    if first and last:
        return f"In force from {escaped(first)} to {escaped(last)}, both days included"
    if first or last:
        return f"In force from {escaped(first)} on" if first else f"In force up to and including {escaped(last)}"
    return "In force on any day"


def _inputs(document: Mapping[str, Any]) -> Iterator[str]:
    rows = []
    for name, raw in _mapping(document, "inputs").items():
        declared = read_input(raw)
        if declared is None:
            rows.append([name, "unreadable", "", ""])
            continue
        rows.append([name, kind(declared), "; ".join(remarks(declared)), str(raw.get("description", ""))])
    for name, raw in _mapping(document, "aggregates").items():
        meaning = raw.get("description", "") if isinstance(raw, Mapping) else ""
        rows.append([name, aggregate(raw) if isinstance(raw, Mapping) else "unreadable", "", str(meaning)])
    if rows:
        yield from ["## What it reads", "", *grid(["name", "what", "remarks", "meaning"], rows), ""]


def _when(document: Mapping[str, Any], words: Words) -> Iterator[str]:
    yield from ["## When it applies", ""]
    raw = document.get("when")
    if raw is None:
        yield from ["To every record.", ""]
        return
    yield from [*condition_lines("It applies", raw, words), ""]


def condition_lines(subject: str, raw: object, words: Words) -> list[str]:
    """A condition, its parts one below the other where it has several."""
    tree = parsed(raw)
    if isinstance(tree, Call) and tree.operator in {"and", "or"} and len(tree.arguments) > 1:
        how = "all of this holds" if tree.operator == "and" else "any of this holds"
        return [f"{subject} when {how}:", "", *bullets((0, escaped(words.held(one).text)) for one in tree.arguments)]
    return [f"{subject} when {escaped(words.held(tree).text)}."]


def _definitions(document: Mapping[str, Any], words: Words) -> Iterator[str]:
    definitions = _mapping(document, "let")
    if definitions:
        yield from ["## Definitions", ""]
        for name, raw in definitions.items():
            yield from bullets(_told(0, f"**{escaped(words.name(name))}** is", raw, words))
        yield ""


def _told(level: int, subject: str, raw: object, words: Words) -> Iterator[tuple[int, str]]:
    """A name and its value; the arms of an ``if`` one below the other."""
    ways = arms(words, raw)
    if ways is None:
        yield level, f"{subject} {escaped(words.of(raw))}."
        return
    yield level, f"{subject} the first that fits:"
    for when, then in ways:
        yield level + 1, f"{escaped(when)}: {escaped(then)}"


def _outputs(document: Mapping[str, Any], words: Words) -> Iterator[str]:
    key = "fields" if document.get("kind") == "layout" else "outputs"
    outputs = _mapping(document, key)
    if not outputs:
        return
    yield from ["## What it gives" if key == "fields" else "## What it decides", ""]
    for name, raw in outputs.items():
        if not isinstance(raw, Mapping):
            continue
        declared = None if key == "fields" else read_output(raw)
        yield from bullets(_output(0, name, declared, parsed(raw.get("expr")), raw.get("expr"), words))
    yield ""


def _output(
    level: int, name: str, declared: DeclaredOutput | None, tree: Tree, raw: object, words: Words
) -> Iterator[tuple[int, str]]:
    """An output: what it is, and of what it is made; the fields of an object and of the items of a list below it."""
    shape = "" if declared is None else f" ({escaped(_shape(declared))})"
    subject = f"**{escaped(name)}**{shape}:"
    fields = declared.fields if declared is not None else None
    if declared is not None and fields and _built(tree) is not None:
        yield level, subject
        yield from _fields(level + 1, declared, tree, words)
    elif declared is not None and declared.items is not None and declared.items.fields and _mapped(tree) is not None:
        source, body = _mapped(tree) or (tree, tree)
        yield level, f"{subject} for each item of {escaped(words.tree(source))}"
        yield from _fields(level + 1, declared.items, body, words)
    elif raw is None:
        yield level, f"{subject} {escaped(words.tree(tree))}"
    else:
        yield from _told(level, subject, raw, words)


def _shape(declared: DeclaredOutput) -> str:
    """The form of an output, whose parts are told below it."""
    if declared.fields:
        return "; ".join(["object", *remarks(declared)])
    if declared.items is not None and declared.items.fields:
        return "; ".join(["list of objects", *remarks(declared)])
    return form(declared)


def _built(tree: Tree) -> Fields | None:
    """The fields of an object that is built here."""
    if isinstance(tree, Call) and tree.operator == OBJECT and tree.arguments:
        return tree.arguments[0] if isinstance(tree.arguments[0], Fields) else None
    return None


def _mapped(tree: Tree) -> tuple[Tree, Tree] | None:
    """The list that objects are built over, and the object of an item."""
    if isinstance(tree, Call) and tree.operator == "map" and len(tree.arguments) == 2:
        source, body = tree.arguments
        return (source, body) if _built(body) is not None else None
    return None


def _fields(level: int, declared: DeclaredOutput, tree: Tree, words: Words) -> Iterator[tuple[int, str]]:
    built = _built(tree)
    for name, part in (built.entries if built is not None else {}).items():
        yield from _output(level, name, (declared.fields or {}).get(name), part, None, words)


def _cases(document: Mapping[str, Any]) -> Iterator[str]:
    cases = [one for one in document.get("cases") or () if isinstance(one, Mapping)]
    if not cases:
        return
    rows = [[str(one.get("name")), str(one.get("as_of")), case_given(one), case_expects(one)] for one in cases]
    yield from ["## Cases", "", *grid(["case", "day", "given", "expected"], rows), ""]


def case_given(case: Mapping[str, Any]) -> str:
    """What a case is about, in a line."""
    sums = _mapping(case, "aggregates")
    tables = _mapping(case, "code_tables")
    told = [given(_mapping(case, "given")), given(sums)]
    told += [f"{name}: {given(codes)}" for name, codes in tables.items() if isinstance(codes, Mapping)]
    return "; ".join(one for one in told if one)


def case_expects(case: Mapping[str, Any]) -> str:
    """What a case must come to, in a line."""
    expect = _mapping(case, "expect")
    if REFUSED in expect:
        return f"refused: {expect[REFUSED]}"
    if APPLIES in expect:
        return "the rule applies" if expect[APPLIES] else "the rule does not apply"
    return given(expect)


def _coverage(coverage: "Coverage | None") -> Iterator[str]:
    if coverage is None or not coverage.items:
        return
    reached = sum(1 for item in coverage.items if item.by)
    yield from ["## Coverage", ""]
    if coverage.complete:
        yield f"The cases reach all {len(coverage.items)} places that a record can get to."
        return
    yield f"The cases reach {reached} of {len(coverage.items)} places that a record can get to. Not reached:"
    yield ""
    yield from bullets((0, escaped(item.what)) for item in coverage.items if not item.by)
