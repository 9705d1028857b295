"""What the columns of a document's tables test: one cell is a text in one of them, and a range in another."""

from collections.abc import Mapping
from typing import Any

from chalicelib.language import Compiled, RuleRefused, compile_ruleset
from chalicelib.language.kinds import Kind
from chalicelib.language.places import HIT
from chalicelib.language.tables import Table
from chalicelib.language.tree import Apply
from chalicelib.rules import layouts


def compiled(document: Mapping[str, Any]) -> Compiled | None:
    """The rule of a document; None for what does not compile by today's checks."""
    try:
        return layouts.parse(document).compiled if document.get("kind") == "layout" else compile_ruleset(document)
    except RuleRefused:
        return None


def table_of(rule: Compiled | None, name: str) -> Table | None:
    """A table as the rule has it; None when there is none."""
    node = None if rule is None else rule.subject.program.shared.get(HIT + name)
    found = node.function.data if isinstance(node, Apply) else None
    return found if isinstance(found, Table) else None


def texts(table: Table | None) -> list[bool]:
    """Of each condition column whether it tests texts; empty when nothing is known of the table."""
    return [] if table is None else [node.type.kind is Kind.STRING for node in table.inputs]
