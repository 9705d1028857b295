"""What becomes of single rows: every one ends as accepted, rejected, duplicate or ignored."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.files.formats import marking
from tests.factories.files import HOURS_HEADER, Hub, hours, people, person

GOOD = "a,E1,2026-11-02,8"


class TestRejects:
    @pytest.mark.parametrize(
        ("row", "code", "column"),
        [
            ("b,E9,2026-11-02,8", "unknown_member", "id"),
            ("b,E1,2026-13-02,8", "bad_date", "day"),
            ('b,E1,2026-11-02,"8,5"', "bad_decimal", "hours"),
            ("b,E1,,8", "missing_value", "day"),
            ("b,E1,2026-11-02", "short_row", None),
            ("b,E1,2026-11-02,8,9", "long_row", None),
            ('b,"E"1,2026-11-02,8', "malformed_row", None),
            ("b,E1\0,2026-11-02,8", "nul_byte", None),
            ("a,E1,2026-11-02,9", "other_content", "event"),
            ("b,E1,2026-11-02,-8", "original_not_named", "reference"),
            ("b,E1,2025-12-31,8", "before_program", "day"),
            ("b,E1,2225-12-31,8", "event_in_future", "day"),
        ],
    )
    def test_says_where_and_why(self, light_hub: Hub, row: str, code: str, column: str | None):
        file = light_hub.process("hours", hours(GOOD, row))

        assert (file.state, file.rows_accepted, file.rows_rejected) == ("processed", 1, 1)
        [kept] = light_hub.rows()
        assert (kept.row_no, kept.outcome, kept.code, kept.column_name) == (2, "rejected", code, column)
        assert kept.message.endswith(".")

    def test_refuses_rows_of_another_partner(self, hub: Hub):
        rows = ["a,E1,2026-11-02,8,acme", "b,E1,2026-11-02,8,globex", "c,E1,2026-11-02,8,"]

        hub.process("hours", "\n".join([f"{HOURS_HEADER},partner", *rows]))

        assert [(row.row_no, row.code) for row in hub.rows()] == [(2, "other_partner"), (3, "missing_value")]

    def test_keeps_the_raw_row_encrypted(self, hub: Hub):
        hub.process("people", people(person("E9", hired="yesterday")))

        [kept] = hub.rows()
        assert kept.code == "bad_date"
        assert b"Haze" not in kept.raw

    def test_names_no_personal_value_in_a_message(self, hub: Hub):
        hub.process("people", people("E9,A,,Haze,2024-10-01,CREW,US,2026-11-01"))

        [kept] = hub.rows()
        assert (kept.code, kept.column_name) == ("missing_value", "first")
        assert "Haze" not in kept.message

    def test_counts_unreadable_control_amounts_apart(self, hub: Hub):
        file = hub.process("hours", hours(GOOD, "b,E1,2026-11-03,eight", trailer="#TRAILER,2,8"))

        assert (file.state, file.control_unreadable, file.control_rejected) == ("processed", 1, 0)


class TestDuplicatesAndIgnored:
    def test_the_same_row_twice_counts_once(self, hub: Hub):
        file = hub.process("hours", hours(GOOD, GOOD))

        assert (file.rows_accepted, file.rows_duplicate) == (1, 1)

    def test_rows_known_from_an_earlier_file_are_one_range(self, hub: Hub):
        known = [f"{number},E1,2026-11-02,8" for number in range(5)]
        hub.process("hours", hours(*known))

        file = hub.process("hours", hours(*known, "new,E1,2026-11-02,8"), name="again.csv")

        assert (file.rows_duplicate, file.rows_accepted) == (5, 1)
        [kept] = hub.rows("again.csv")
        assert (kept.row_no, kept.row_to, kept.control_minor, kept.raw) == (1, 5, 40_000_000, None)

    def test_ignores_what_the_layout_says_means_nothing(self, hub: Hub):
        file = hub.process("hours", hours("a,E1,2026-11-02,-", "b,E1,2026-11-02,-", "c,E1,2026-11-02,8", ",,,"))

        assert (file.rows_ignored, file.rows_accepted) == (3, 1)
        assert [(row.row_no, row.row_to, row.code) for row in hub.rows()] == [
            (1, 2, "ignored_by_layout"),
            (4, 4, "blank_row"),
        ]


class TestTheFileOfRejects:
    def rejects(self, hub: Hub) -> list[dict[str, str]]:
        text = hub.read("hub-out", "acme/hours/rejects_file.csv").decode()
        return list(csv.DictReader(io.StringIO(text)))

    def test_repeats_the_row_and_adds_the_reasons(self, hub: Hub):
        hub.process("hours", hours(GOOD, "b,E9,2026-11-02,8"))

        [row] = self.rejects(hub)
        assert (row["event"], row["id"], row["hours"]) == ("b", "E9", "8")
        assert (row["row_no"], row["error_code"], row["error_field"]) == ("2", "unknown_member", "id")
        assert row["fixable"] == "true"
        assert row["resubmit_token"] == f"{hub.file().public_id}.2"
        assert hub.receipt()["rejects"] == "acme/hours/rejects_file.csv"

    def test_holds_no_formula_of_the_sender(self, hub: Hub):
        hub.process("hours", hours('"=1+1",E9,2026-11-02,-8'))

        [row] = self.rejects(hub)
        assert (row["event"], row["hours"]) == ("'=1+1", "-8")

    @pytest.mark.parametrize("text", ["=1+1", "+x", "-a", "@x", "\tx", "\rx", "-1+1", " =1", "'=1", "\uff1d1"])
    def test_turns_no_text_into_a_formula(self, text: str):
        assert marking.harmless(text) == f"'{text}"
        assert marking.harmless(f"a{text}") == f"a{text}"

    @pytest.mark.parametrize("text", ["", "a", "-8", "-8.50", "+49 170 1234", "'", "'a", "1=1"])
    def test_leaves_plain_cells_alone(self, text: str):
        assert marking.harmless(text) == text

    @given(st.text(st.sampled_from("'=+-@\t\r\n 08.,a\uff1d"), max_size=6))
    def test_gives_back_what_was_there(self, text: str):
        assert marking.restored(marking.harmless(text)) == text

    def test_pads_short_rows_and_joins_long_ones(self, hub: Hub):
        hub.process("hours", hours(GOOD, "b,E1", "c,E1,2026-11-02,8,9"))

        short, long = self.rejects(hub)
        assert (short["day"], short["error_code"]) == ("", "short_row")
        assert (long["hours"], long["error_code"]) == ("8,9", "long_row")
