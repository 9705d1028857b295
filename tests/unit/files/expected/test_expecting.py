"""Expected files: missing, late, empty, unusually small, and alerts that come and go with their causes."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from chalicelib.files.expected import expecting
from chalicelib.files.expected.expecting import Expected
from chalicelib.files.models.files import file_alert, inbound_file
from chalicelib.partners import directory
from chalicelib.partners.models.partners import partner
from tests.factories.files import Hub, hours
from tests.factories.partners import CALLER, NOW


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-11-{text}").replace(tzinfo=UTC)


@pytest.fixture
def expecting_hub(hub: Hub) -> Hub:
    """acme sends hours every day by 06:00, from the tenth of November on, with an hour of grace."""
    manifest = {"expected_files": [{"layout": "hours", "since": "2026-11-10", "due": "06:00"}]}
    with hub.database.write() as db:
        db.execute(update(partner).where(partner.c.id == hub.partner.id).values(manifest=json.dumps(manifest)))
    return hub


def came(hub: Hub, when: str, content: str | bytes | None = None, *, rows: int = 1) -> str:
    """A file that was processed, as if it had arrived at that moment."""
    name = f"{when}.csv"
    data = hours(*[f"{when}-{number},E1,2026-11-02,8" for number in range(rows)]) if content is None else content
    file = hub.process("hours", data, name=name)
    with hub.database.write() as db:
        db.execute(update(inbound_file).where(inbound_file.c.id == file.id).values(arrived_at=at(when)))
    return name


def standing(hub: Hub, when: str) -> list[tuple[int, str]]:
    """The day of each delivery, and how it stands."""
    return [(each.delivery.due_at.day, each.standing) for each in stands(hub, when)]


def stands(hub: Hub, when: str) -> list[Expected]:
    with hub.database.read() as db:
        return expecting.of_partners(db, partner_id=hub.partner.id, now=at(when))


def watch(hub: Hub, when: str) -> int:
    return hub.database.run(lambda db: expecting.watch(db, now=at(when)))


def alerts(hub: Hub) -> list[tuple[int, str, bool]]:
    """Day, kind, and whether it is open."""
    with hub.database.read() as db:
        rows: Any = db.execute(select(file_alert).order_by(file_alert.c.due_at, file_alert.c.kind))
        return [(row.due_at.day, row.kind, row.resolved_at is None) for row in rows]


class TestStanding:
    def test_is_expected_until_the_deadline_and_missing_after_it(self, expecting_hub: Hub):
        assert standing(expecting_hub, "10T07:00") == [(10, "expected")]
        assert standing(expecting_hub, "10T07:01") == [(10, "missing")]

    def test_a_file_counts_for_the_delivery_in_whose_time_it_comes(self, expecting_hub: Hub):
        came(expecting_hub, "10T05:00")
        came(expecting_hub, "11T19:00")
        came(expecting_hub, "12T17:00")

        assert standing(expecting_hub, "13T08:00") == [
            (10, "received"),
            (11, "missing"),
            (12, "received"),
            (13, "missing"),
        ]

    @pytest.mark.parametrize("content", [b"nonsense", hours()])
    def test_a_refused_file_is_none(self, expecting_hub: Hub, content: Any):
        name = came(expecting_hub, "10T05:00", content)

        [one] = stands(expecting_hub, "10T08:00")
        assert one.standing == "missing"
        assert name in one.findings[0].detail

    def test_a_file_that_repeats_another_is_none(self, expecting_hub: Hub):
        came(expecting_hub, "10T05:00", hours("a,E1,2026-11-02,8"))
        came(expecting_hub, "11T05:00", hours("a,E1,2026-11-02,8"))

        assert standing(expecting_hub, "11T08:00")[-1] == (11, "missing")
        assert "only repeats" in stands(expecting_hub, "11T08:00")[-1].findings[0].detail

    def test_rejects_that_came_back_are_none(self, expecting_hub: Hub):
        came(expecting_hub, "10T05:00", "event,id,day,hours,resubmit_token\na,E1,2026-11-02,8,\n")

        assert standing(expecting_hub, "10T08:00") == [(10, "missing")]

    def test_nothing_is_expected_of_a_suspended_partner(self, expecting_hub: Hub):
        with expecting_hub.database.write() as db:
            directory.change_status(db, expecting_hub.partner, "suspended", reason="unpaid", caller=CALLER, now=NOW)

        assert standing(expecting_hub, "10T08:00") == []


class TestAlerts:
    def test_a_missing_file_is_told_once_and_resolved_when_it_comes(self, expecting_hub: Hub):
        raised = [watch(expecting_hub, when) for when in ("10T06:30", "10T07:15", "10T07:30")]

        assert raised == [0, 1, 0]
        assert alerts(expecting_hub) == [(10, "missing", True)]

        came(expecting_hub, "10T09:00")
        watch(expecting_hub, "10T09:15")

        assert alerts(expecting_hub) == [(10, "late", True), (10, "missing", False)]

    def test_lateness_is_history_with_the_next_delivery(self, expecting_hub: Hub):
        came(expecting_hub, "10T09:00")
        watch(expecting_hub, "10T09:15")
        watch(expecting_hub, "10T18:15")

        assert alerts(expecting_hub) == [(10, "late", False)]

    def test_an_empty_file_is_told_before_the_deadline(self, expecting_hub: Hub):
        came(expecting_hub, "10T05:00", hours())
        assert watch(expecting_hub, "10T05:15") == 1
        assert alerts(expecting_hub) == [(10, "empty", True)]

        came(expecting_hub, "10T06:00")
        watch(expecting_hub, "10T06:15")

        assert alerts(expecting_hub) == [(10, "empty", False)]

    @pytest.mark.parametrize(("rows", "told"), [(3, True), (6, False), (30, False)])
    def test_an_unusually_small_file_is_told_by_the_feeds_own_history(
        self, expecting_hub: Hub, rows: int, *, told: bool
    ):
        for day in (10, 11, 12, 13):
            came(expecting_hub, f"{day}T05:00", rows=10 + day % 2)
        came(expecting_hub, "14T05:00", rows=rows)

        watch(expecting_hub, "14T05:15")

        assert alerts(expecting_hub) == ([(14, "small", True)] if told else [])

    def test_without_a_history_nothing_is_unusual(self, expecting_hub: Hub):
        came(expecting_hub, "10T05:00", rows=100)
        came(expecting_hub, "11T05:00", rows=1)

        assert watch(expecting_hub, "11T05:15") == 0

    def test_two_watches_at_once_raise_one_alert(self, expecting_hub: Hub):
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: watch(expecting_hub, "10T08:00"), range(4)))

        assert alerts(expecting_hub) == [(10, "missing", True)]

    def test_what_is_long_past_is_closed(self, expecting_hub: Hub):
        watch(expecting_hub, "10T08:00")
        later = at("10T08:00") + timedelta(days=50)

        expecting_hub.database.run(lambda db: expecting.watch(db, now=later))

        assert (10, "missing", False) in alerts(expecting_hub)
