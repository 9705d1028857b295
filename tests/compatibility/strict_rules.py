"""Random rules of the strict dialect that are plain JsonLogic too, and records for them.

Only what means the same in both: typed, no null, no coercion; numbers that binary and decimal fractions both hold.
"""

from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

INPUTS: dict[str, dict[str, Any]] = {
    "count": {"type": "integer"},
    "limit": {"type": "integer"},
    "hours": {"type": "decimal", "scale": 3},
    "text": {"type": "string"},
    "status": {"type": "enum", "values": ["ACTIVE", "LEAVE", "TERM"]},
    "paid": {"type": "boolean"},
    "address": {"type": "object", "fields": {"city": {"type": "string"}, "floor": {"type": "integer"}}},
    "amounts": {"type": "list", "items": {"type": "decimal", "scale": 2}},
    "tags": {"type": "list", "items": {"type": "string"}},
    "lines": {
        "type": "list",
        "items": {
            "type": "object",
            "fields": {
                "quantity": {"type": "integer"},
                "price": {"type": "decimal", "scale": 2},
                "sku": {"type": "string"},
                "gift": {"type": "boolean"},
            },
        },
    },
}
_QUARTERS = st.integers(-40, 40).map(lambda number: Decimal(number) / 4)
_TEXTS = st.sampled_from(["", "a", "b", "ab", "Ada", "Springfield", "ACTIVE", "12", "ä"])
RECORDS = st.fixed_dictionaries(
    {
        "count": st.integers(-9, 9),
        "limit": st.integers(0, 5),
        "hours": _QUARTERS,
        "text": _TEXTS,
        "status": st.sampled_from(["ACTIVE", "LEAVE", "TERM"]),
        "paid": st.booleans(),
        "address": st.fixed_dictionaries({"city": _TEXTS, "floor": st.integers(0, 3)}),
        "amounts": st.lists(_QUARTERS, max_size=4),
        "tags": st.lists(_TEXTS, max_size=4),
        "lines": st.lists(
            st.fixed_dictionaries(
                {"quantity": st.integers(0, 5), "price": _QUARTERS, "sku": _TEXTS, "gift": st.booleans()}
            ),
            max_size=3,
        ),
    }
)
Kinds = dict[str, st.SearchStrategy[Any]]


def _vars(*names: str) -> list[dict[str, str]]:
    return [{"var": name} for name in names]


_LEAVES: Kinds = {
    "number": st.one_of(
        st.sampled_from(_vars("count", "limit", "hours", "address.floor")), st.integers(-9, 9), _QUARTERS
    ),
    "text": st.one_of(st.sampled_from(_vars("text", "address.city", "status")), _TEXTS),
    "boolean": st.one_of(st.sampled_from(_vars("paid")), st.booleans()),
    # Of a product, the other side: it stays small, so that no digit is lost in binary.
    "factor": st.one_of(st.sampled_from(_vars("count", "hours")), st.integers(-9, 9), _QUARTERS),
}


def _call(operators: tuple[str, ...], *arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.builds(lambda name, written: {name: list(written)}, st.sampled_from(operators), st.tuples(*arguments))


def _chosen(of: Kinds, kind: str) -> st.SearchStrategy[Any]:
    pairs = st.lists(st.tuples(of["boolean"], of[kind]), min_size=1, max_size=3)
    return st.builds(lambda pairs, last: {"if": [*(part for pair in pairs for part in pair), last]}, pairs, of[kind])


def _deeper(of: Kinds) -> Kinds:
    number, text, boolean = of["number"], of["text"], of["boolean"]
    several = st.lists(number, min_size=2, max_size=4)
    return {
        "factor": of["factor"],
        "number": st.one_of(
            number,
            st.builds(lambda name, parts: {name: parts}, st.sampled_from(["+", "min", "max"]), several),
            _call(("-",), number, number),
            _call(("*",), number, of["factor"]),
            _call(("-",), number),
            _call(("%",), number, st.sampled_from([1, 2, 3, 4, Decimal("0.5")])),
            _call(("/",), number, st.sampled_from([1, 2, -4, 8, Decimal("0.25")])),
            _chosen(of, "number"),
        ),
        "text": st.one_of(
            text,
            st.builds(lambda parts: {"cat": parts}, st.lists(text, min_size=1, max_size=3)),
            _call(("substr",), text, st.integers(-4, 4)),
            _call(("substr",), text, st.integers(-4, 4), st.integers(-3, 4)),
            _chosen(of, "text"),
        ),
        "boolean": st.one_of(
            boolean,
            _call(("<", "<=", ">", ">=", "==", "!="), number, number),
            _call(("<", "<="), number, number, number),
            _call(("==", "!="), text, text),
            _call(("==", "!="), boolean, boolean),
            _call(("!",), boolean),
            _call(("in",), text, text),
            _call(("in",), text, st.lists(text, min_size=1, max_size=3)),
            _call(("in",), number, several),
            st.builds(
                lambda name, parts: {name: parts},
                st.sampled_from(["and", "or"]),
                st.lists(boolean, min_size=1, max_size=4),
            ),
            _chosen(of, "boolean"),
        ),
    }


_CONSTANTS: Kinds = {
    "number": st.integers(-3, 3),
    "text": _TEXTS,
    "boolean": st.booleans(),
    "factor": st.integers(-3, 3),
}


def _items(**leaves: list[str]) -> Kinds:
    """Expressions over the item of a loop: its leaves by kind, one level deep."""
    of = {
        kind: st.one_of(st.sampled_from(_vars(*leaves.get(kind, ()))), one)
        for kind, one in _CONSTANTS.items()
        if kind in leaves
    }
    return _deeper({**_CONSTANTS, **of})


_AMOUNT = _items(number=[""])
_TAG = _items(text=[""])
_LINE = _items(number=["quantity", "price"], text=["sku"], boolean=["gift"])
_FOLDED = _items(number=["current", "accumulator"])
_LISTS = {"amounts": _AMOUNT, "tags": _TAG, "lines": _LINE}


def _over_lists(of: Kinds) -> Kinds:
    """Expressions that go through a list."""

    def loop(way: str, kind: str) -> st.SearchStrategy[Any]:
        return st.one_of(
            *(
                st.builds(lambda body, name=name: {way: [{"var": name}, body]}, item[kind])
                for name, item in _LISTS.items()
            )
        )

    kept = st.builds(lambda body: {"filter": [{"var": "amounts"}, body]}, _AMOUNT["boolean"])
    numbers = st.one_of(
        st.sampled_from(_vars("amounts")),
        loop("map", "number"),
        kept,
        st.builds(lambda one: {"merge": [one, {"var": "amounts"}]}, kept),
    )
    return {
        **of,
        "number": st.one_of(
            of["number"],
            st.builds(
                lambda items, body, start: {"reduce": [items, body, start]}, numbers, _FOLDED["number"], of["number"]
            ),
        ),
        "boolean": st.one_of(
            of["boolean"],
            *(loop(way, "boolean") for way in ("all", "some", "none")),
            _call(("in",), of["number"], numbers),
            _call(("in",), of["text"], st.one_of(st.sampled_from(_vars("tags")), loop("map", "text"))),
        ),
    }


def rules(levels: int) -> st.SearchStrategy[tuple[Any, str]]:
    """Pairs of a rule, nested at most ``levels`` deep, and the type of its value."""
    of = _LEAVES
    for _ in range(levels):
        of = _deeper(_over_lists(of))
    types = {"number": "decimal", "text": "string", "boolean": "boolean"}
    return st.one_of(*(st.tuples(of[kind], st.just(name)) for kind, name in types.items()))
