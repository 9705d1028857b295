"""Which look-ups go on when a code table lacks the code, and with what: who counts misses asks for these."""

from collections.abc import Mapping
from typing import Final

from chalicelib.language.declared import Treated
from chalicelib.language.tree import Const, Lookup, Loop, Node, Program, facts_read, walk

_DEFAULT: Final[Treated] = "default"
_NULL: Final[Treated] = "null"


def tolerated(program: Program) -> Mapping[str, Treated]:
    """How a miss is treated, by code table; ``default`` where a program does both with one table.

    Tables are left out of which every miss refuses the record, and those in which anything personal is looked up.
    """
    roots = [*program.shared.values(), *program.outputs.values(), *([program.condition] if program.condition else [])]
    parts = [part for root in roots for part in walk(root)]
    lists: dict[int, Node] = {}
    for part in parts:
        if isinstance(part, Loop):
            lists[part.item.slot] = part.source
            if part.sofar is not None and part.start is not None:
                lists[part.sofar.slot] = part.body
    found: dict[str, Treated] = {}
    personal: set[str] = set()
    for part in parts:
        if not isinstance(part, Lookup):
            continue
        read = facts_read(part.key, program.shared, lists)
        if any(program.facts[name].personal for name in read):
            personal.add(part.table)
        if part.default is not None:
            is_null = isinstance(part.default, Const) and part.default.value is None
            found[part.table] = _NULL if is_null and found.get(part.table, _NULL) == _NULL else _DEFAULT
    return {table: how for table, how in found.items() if table not in personal}
