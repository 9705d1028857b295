"""Decision tables of the document, and code tables of the hub."""

from chalicelib.language.bounds import KEY_LENGTH_MAX
from chalicelib.language.check import Checker, Operator, wrong
from chalicelib.language.kinds import INTEGER, NULL, TEXT, Kind, Type, unified
from chalicelib.language.operators.logic import unknown
from chalicelib.language.operators.misses import CHOICES, QUARANTINE, on_miss
from chalicelib.language.parse import Call
from chalicelib.language.places import HIT, Narrowed
from chalicelib.language.tree import Apply, Const, Form, Function, Lookup, Node, Shared

_CELL = Function("table", lambda row, index: row[index], Form.SUBSCRIPT)


def _table(checker: Checker, call: Call, _: Narrowed) -> Node:
    name = checker.constant(call.arguments[0], "the name of a table", lambda value: isinstance(value, str))
    out = checker.constant(call.arguments[1], "an output column of the table", lambda value: isinstance(value, str))
    if name is None or out is None:
        return wrong(call.pointer)
    if name not in checker.tables:
        checker.report.unknown(call.arguments[0].pointer, "table", name, checker.tables)
        return wrong(call.pointer)
    columns = checker.tables[name]
    if columns is None:
        return wrong(call.pointer)
    if out not in columns:
        checker.report.unknown(call.arguments[1].pointer, "column", out, columns)
        return wrong(call.pointer)
    index, kind = columns[out]
    row = Shared(call.pointer, Type(Kind.LIST), HIT + name)
    return Apply(call.pointer, kind, _CELL, (row, Const(call.pointer, INTEGER, index)))


def _lookup(checker: Checker, call: Call, narrowed: Narrowed) -> Node:
    table = checker.constant(
        call.arguments[0],
        "the name of a code table",
        lambda value: isinstance(value, str) and 0 < len(value) <= KEY_LENGTH_MAX,
    )
    key = checker.value(call.arguments[1], narrowed, Kind.STRING)
    miss = on_miss(checker, call, narrowed, (*CHOICES, QUARANTINE))
    if table is None or miss is None or unknown(key, *miss.default):
        return wrong(call.pointer)
    checker.code_tables.add(table)
    if miss.refuses:
        return Lookup(call.pointer, TEXT, table, key, None, quarantine=miss.quarantine)
    default = miss.default[0] if miss.default else Const(call.pointer, NULL, None)
    # A code table's values are not known here, so the result is any text.
    kind = unified(TEXT, default.type) or TEXT
    return Lookup(call.pointer, kind, table, key, default)


OPERATORS = (
    Operator(
        "table",
        2,
        2,
        "(table, column) -> the column's type",
        "The cell of the row that the record hits in a decision table; no row refuses the record.",
        _table,
    ),
    Operator(
        "lookup",
        2,
        2,
        "(code table, text, {on_miss}) -> text",
        "What a code table says, as of the record's date. Unknown codes: `on_miss` error, null, default or quarantine.",
        _lookup,
        ("on_miss", "default"),
    ),
)
