"""Texts that a normalized input can never hold, however often a rule asks for them."""

from collections.abc import Iterable

from chalicelib.language.intervals import Members
from chalicelib.language.reading import NORMALIZERS
from chalicelib.language.tables import Table
from chalicelib.language.tree import Apply, Const, Node


def never_normalized(nodes: Iterable[Node]) -> dict[str, frozenset[str]]:
    """The texts of a rule that no normalized text can be equal to, by the way in which it is normalized."""
    texts: set[str] = set()
    for node in nodes:
        match node:
            case Const(value=str(text)):
                texts.add(text)
            case Const(value=list(items) | frozenset(items)):
                texts.update(item for item in items if isinstance(item, str))
            case Apply(function=function) if isinstance(function.data, Table):
                cells = (cell for row in function.data.rows for cell in row if isinstance(cell, Members))
                texts.update(value for cell in cells for value in cell.values if isinstance(value, str))
    return {how: frozenset(text for text in texts if change(text) != text) for how, change in NORMALIZERS.items()}
