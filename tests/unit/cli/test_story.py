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
CAUSE: dict[str, Any] = {
    "at": "2026-11-02T00:00:00Z", "actor": "usr_1", "correlation_id": "c8", "decided_by": "usr_2", "reference": "a-1",
    "order_no": None, "reason": "goodwill", "hold_id": None, "tender_id": None, "redemption_id": None,
    "accrual_id": None, "source": DECIDED["source"],
}  # fmt: skip
LOT = {"lot_id": "trf_9", "opened_by": {"kind": "accrual", "business_date": "2026-11-01"}}
ENTRY = {"kind": "accrual", "amount": "12.00", "business_date": "2026-11-02", "entry_no": 6}
CARRIED = {"target": "store", "delivery_id": "dlv_1", "attempt": 1, "confirmed_at": "2026-11-02T01:00:00Z"}


def lines(decided: dict[str, Any] | None = DECIDED, **changes: Any) -> list[str]:
    found = {"entry": ENTRY, "member_id": "mbr_1", "decided": decided, "cause": None, "taken": [], "carried": CARRIED}
    found |= changes
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
        told = lines(None, taken=[LOT | {"points": "3.00"}], carried=None)

        assert "3.00 of the accrual of 2026-11-01 (trf_9)" in told[place(told, "took")]
        assert "nobody yet" in told[place(told, "told to")]

    def test_of_a_refund_names_the_lots_that_it_gave_back_to(self):
        told = lines(None, taken=[LOT | {"points": "-3.00"}])

        assert "3.00 to the accrual of 2026-11-01 (trf_9)" in told[place(told, "gave back")]

    def test_of_what_a_person_asked_for_says_who_and_why(self):
        told = lines(None, cause=CAUSE)

        assert "usr_1, 2026-11-02T00:00:00Z, trace id c8" in told[place(told, "asked by")]
        assert "usr_2" in told[place(told, "agreed by")]
        assert "goodwill" in told[place(told, "because")]
        assert told[place(told, "row ") + 1] == "7,8.00,Regular"

    def test_of_what_the_schedule_did_names_the_schedule(self):
        told = lines(None, cause=CAUSE | {"actor": None, "source": None, "hold_id": "hld_1"})

        assert "the schedule" in told[place(told, "asked by")]
        assert "hld_1" in told[place(told, "hold ")]
