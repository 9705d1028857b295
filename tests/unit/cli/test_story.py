"""What `hub lineage` tells a person about one entry."""

from typing import Any

from cli import story
from tests.unit.cli.shown import shown

DECIDED: dict[str, Any] = {
    "accrual": {
        "event_id": "ts-7", "event_type": "HOURS", "event_date": "2026-11-01", "actor": "key:7", "correlation_id": "c7",
    },
    "source": {
        "file_id": "fil_1", "file_name": "hours.csv", "sha256": "4b" * 32, "layout": "timesheet",
        "row_no": 24, "byte_offset": 1134, "byte_length": 57, "raw": "7,8.00,Regular",
    },
    "rule": {"id": "rsv_1", "ruleset": "acme.accrual", "number": 3, "content_hash": "31" * 32},
    "facts": {"inputs": {"quantity": "8"}, "aggregates": {"this_month": "4"}, "lookups": {"acme.grade": {"E2": "30"}}},
    "trace": {
        "as_of": "2026-11-01", "let": {"rate": "1.5"}, "tables": [{"table": "tier", "row": 3}],
        "conditions": [{"pointer": "/when", "held": True}], "outputs": {"points": "12.00"},
    },
    "recomputed": None,
    "agrees": None,
}  # fmt: skip
ENTRY = {"kind": "accrual", "amount": "12.00", "business_date": "2026-11-02", "entry_no": 6}
CARRIED = {"target": "store", "delivery_id": "dlv_1", "attempt": 1, "confirmed_at": "2026-11-02T01:00:00Z"}


def lines(decided: dict[str, Any] | None = DECIDED, **changes: Any) -> list[str]:
    found = {"entry": ENTRY, "member_id": "mbr_1", "decided": decided, "taken": [], "carried": CARRIED} | changes
    return [line.strip() for part in story.told(found) for line in shown(part).splitlines()]


def place(of: list[str], beginning: str) -> int:
    return next(number for number, line in enumerate(of) if line.startswith(beginning))


class TestTold:
    def test_goes_from_the_points_to_the_rule_the_row_and_the_file(self):
        told = lines()

        order = [
            place(told, text) for text in ("12.00 ", "event ", "rule ", "row ", "file ", "told to ", "What the rule")
        ]
        assert order == sorted(order)
        assert "acme.accrual version 3" in told[order[2]]
        assert told[order[3] + 1] == "7,8.00,Regular"
        assert "hours.csv" in told[order[4]]

    def test_ends_with_what_was_given_and_what_came_of_it(self):
        told = [line.split() for line in lines()]

        assert ["quantity", "8"] in told
        assert ["this_month", "4"] in told
        assert ["acme.grade,", "E2", "30"] in told
        assert ["rate", "1.5"] in told
        assert ["table", "tier", "row", "3"] in told
        assert ["/when", "held"] in told
        assert ["points", "12.00"] in told

    def test_says_whether_deciding_again_gave_the_same(self):
        same = lines(DECIDED | {"recomputed": "12.00", "agrees": True})
        other = lines(DECIDED | {"recomputed": "11.00", "agrees": False})

        assert "12.00, the same" in same[place(same, "decided again")]
        assert "11.00, NOT what was posted" in other[place(other, "decided again")]

    def test_names_the_request_of_an_event_that_came_by_api(self):
        told = lines(DECIDED | {"source": None})

        assert "API, from key:7, trace id c7" in told[place(told, "came by")]

    def test_says_why_a_row_is_hidden(self):
        told = lines(DECIDED | {"source": DECIDED["source"] | {"raw": None}})

        assert told[place(told, "row ") + 1].startswith("hidden")

    def test_of_a_spend_names_the_lots_it_took(self):
        told = lines(None, taken=[{"lot_id": "trf_9", "points": "3.00"}], carried=None)

        assert "3.00 of the points that trf_9 earned" in told[place(told, "took")]
        assert "nobody yet" in told[place(told, "told to")]
