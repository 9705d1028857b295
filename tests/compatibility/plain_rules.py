"""Random rules of plain JsonLogic and random data for them."""

from typing import Any

from hypothesis import strategies as st

NAMES = ("a", "b", "c")
PATHS = st.one_of(st.sampled_from(["a", "b", "c", "a.b", "a.0", "c.a.b", "missing", "", "1"]), st.integers(0, 2))
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-20, 20),
    st.sampled_from([0.5, -1.25, 3.14, 1e21, 1e-6, 1e-7, 123456789.125]),
    st.sampled_from(["", "0", "1", "-2", "3.5", "a", "b", "abc", "Springfield", " 7 ", "1e2", "true", "null", "é"]),
)
DATA = st.one_of(
    st.none(),
    st.recursive(
        SCALARS,
        lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.sampled_from(NAMES), inner)),
        max_leaves=12,
    ),
)
# What is looked for in records of a shape, so that most paths lead somewhere.
RECORDS = st.fixed_dictionaries(
    {
        "a": st.one_of(st.lists(st.integers(-5, 5), max_size=4), SCALARS, st.fixed_dictionaries({"b": SCALARS})),
        "b": SCALARS,
        "c": st.lists(st.one_of(SCALARS, st.fixed_dictionaries({"a": SCALARS, "b": SCALARS})), max_size=4),
    }
)
_PAIRS = ("==", "===", "!=", "!==", "<", "<=", ">", ">=", "%", "/", "-")
_ANY = ("and", "or", "+", "*", "min", "max", "cat", "merge", "if")
_BODIES = ("map", "filter", "all", "some", "none")


def _call(operators: tuple[str, ...], *arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.builds(lambda name, written: {name: list(written)}, st.sampled_from(operators), st.tuples(*arguments))


def _deeper(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    several = st.lists(inner, min_size=1, max_size=4)
    paths = st.lists(st.sampled_from(["a", "b", "c", "a.b", "d"]), max_size=3)
    return st.one_of(
        _call(_PAIRS, inner, inner),
        _call(("<", "<="), inner, inner, inner),
        st.builds(lambda name, written: {name: written}, st.sampled_from(_ANY), several),
        st.builds(lambda one, *arms: {"if": [one, *arms]}, inner, inner, inner),
        _call(("!", "!!", "-", "+"), inner),
        st.builds(lambda one: {"!": one}, inner),
        _call(("in",), inner, inner),
        _call(("in",), inner, st.lists(SCALARS, max_size=4)),
        _call(("substr",), inner, st.integers(-6, 6)),
        _call(("substr",), inner, st.integers(-6, 6), st.integers(-6, 6)),
        _call(("var",), PATHS, inner),
        _call(_BODIES, inner, inner),
        _call(("reduce",), inner, inner, inner),
        _call(("missing",), paths),
        _call(("missing_some",), st.integers(0, 3), paths),
        several,
    )


_VARIABLES = st.builds(lambda path: {"var": path}, PATHS)
_ELEMENTS = st.builds(
    lambda path: {"var": path}, st.sampled_from(["", "a", "b", "current", "accumulator", "current.a"])
)
RULES = st.recursive(st.one_of(SCALARS, _VARIABLES, _ELEMENTS), _deeper, max_leaves=12)
