"""Identifiers are ordered inside and readable outside."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.errors import NotFound
from chalicelib.storage.ids import new_id, new_ids, public_id, raw_id


class TestNewIds:
    def test_are_version_7_and_carry_the_time(self):
        made = new_id()
        assert made[6] >> 4 == 7
        assert made[8] >> 6 == 2
        assert abs(int.from_bytes(made[:6]) - time.time() * 1000) < 5000

    def test_ascend_without_repeating(self):
        made = [*new_ids(1000), new_id(), *new_ids(1000)]
        assert made == sorted(set(made))


class TestPublicId:
    @given(st.binary(min_size=16, max_size=16))
    def test_reads_back_as_the_same_id(self, raw):
        text = public_id("mbr", raw)
        assert raw_id("mbr", text) == raw
        assert len(text) == 30

    @pytest.mark.parametrize(
        "text", ["", "mbr", "mbr_", "mbr_short", "par_" + "0" * 26, "mbr_" + "z" * 26, "mbr_" + "u" * 26]
    )
    def test_what_cannot_be_one_is_not_found(self, text):
        with pytest.raises(NotFound):
            raw_id("mbr", text)
