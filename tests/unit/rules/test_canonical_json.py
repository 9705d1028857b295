"""The canonical text: one content, one text; another content, another text."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.language import parse_json
from chalicelib.rules import canonical

_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**15), 10**15)
    | st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**12), max_value=10**12)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


class TestText:
    def test_does_not_depend_on_the_order_of_keys_or_on_spaces(self):
        first = parse_json('{"b": [1, 2], "a": {"y": null, "x": true}}')
        second = parse_json('{"a":{"x":true,"y":null},"b":[1,2]}')

        assert canonical.text(first) == canonical.text(second) == '{"a":{"x":true,"y":null},"b":[1,2]}'

    def test_tells_numbers_apart_that_are_written_differently(self):
        assert canonical.text(parse_json("[1.50]")) != canonical.text(parse_json("[1.5]"))

    def test_refuses_a_binary_float_whose_digits_are_lost(self):
        with pytest.raises(TypeError, match="float has no exact JSON text"):
            canonical.text({"rate": 0.1})

    @given(_JSON)
    def test_is_json_that_reads_back_as_the_same_document(self, document):
        text = canonical.text(document)

        json.loads(text)
        assert canonical.text(parse_json(text)) == text

    def test_keeps_every_digit_of_a_long_number(self):
        digits = "12345678901234567890.12345678"

        assert canonical.text(parse_json(f"[{digits}]")) == f"[{digits}]"
        assert parse_json(canonical.text([Decimal(digits)])) == [Decimal(digits)]


class TestDigest:
    def test_is_the_sha256_of_the_utf8_text(self):
        assert canonical.digest("ä").hex() == "33e6d73fee82904c8d7afb78de1154d1e8dc2a0edb08120e63df5b9385c2d9cc"
