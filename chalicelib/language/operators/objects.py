"""Objects: built field by field, for payloads with parts of their own."""

from chalicelib.language.check import Checker, Operator, wrong
from chalicelib.language.kinds import Kind, object_of
from chalicelib.language.operators.logic import unknown
from chalicelib.language.parse import OBJECT, Call, Fields
from chalicelib.language.places import Narrowed
from chalicelib.language.tree import Built, Node


def _object(checker: Checker, call: Call, narrowed: Narrowed) -> Node:
    written = call.arguments[0]
    if not isinstance(written, Fields) or not written.entries:
        checker.report.add(
            written.pointer,
            "wrong_type",
            "expected the fields of the object",
            expected='{"name": expression, …}',
            found="no fields" if isinstance(written, Fields) else "an expression",
        )
        return wrong(call.pointer)
    fields = {name: checker.node(tree, narrowed) for name, tree in written.entries.items()}
    if unknown(*fields.values()):
        return wrong(call.pointer)
    kind = checker.built(call.pointer, object_of({name: node.type for name, node in fields.items()}))
    return wrong(call.pointer) if kind.kind is Kind.UNKNOWN else Built(call.pointer, kind, fields)


OPERATORS = (
    Operator(
        OBJECT,
        1,
        1,
        "({name: x, …}) -> object",
        "An object of these fields. Which of them are left out when they are null, the output declares (`omit_null`).",
        _object,
    ),
)
