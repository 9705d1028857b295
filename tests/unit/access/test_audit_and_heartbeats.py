"""The audit trail and the heartbeats."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from chalicelib.access import audit, heartbeats
from chalicelib.access.audit import AuditFilter
from chalicelib.access.caller import Caller
from tests.factories.access import CALLER

PARTNER = b"p" * 16


def note(db, now, **given):
    what = {"caller": CALLER, "action": "a.done", "subject": "s", "now": now}
    audit.record(db, **{**what, **given})


def found(db, before_seq=None, limit=10, **wanted):
    return audit.newest_first(db, AuditFilter(**wanted), before_seq=before_seq, limit=limit)


class TestAudit:
    def test_keeps_who_what_when_and_why(self, database, now):
        with database.write() as db:
            note(
                db,
                now,
                caller=Caller("usr_x", "corr"),
                partner_id=PARTNER,
                before={"day": date(2026, 1, 2)},
                after={"amount": Decimal("1.50"), "id": b"\x01"},
                reason="why",
            )
            [entry] = found(db)
        assert (entry.actor, entry.correlation_id, entry.action, entry.at) == ("usr_x", "corr", "a.done", now)
        assert (entry.before, entry.after) == ({"day": "2026-01-02"}, {"amount": "1.50", "id": "01"})
        assert (entry.partner_id, entry.reason) == (PARTNER, "why")

    def test_takes_no_value_that_json_would_falsify(self, database, now):
        with database.write() as db, pytest.raises(TypeError):
            note(db, now, after={"x": object()})

    @pytest.mark.parametrize(
        ("wanted", "subjects"),
        [
            ({}, ["d", "c", "b", "a"]),
            ({"partner_id": PARTNER}, ["b"]),
            ({"actor": "usr_x"}, ["c"]),
            ({"action": "b.done"}, ["d"]),
            ({"subject": "a"}, ["a"]),
            ({"since": 1, "until": 3}, ["c", "b"]),
        ],
    )
    def test_is_found_newest_first_by_filter(self, database, now, wanted, subjects):
        at = [now + timedelta(seconds=number) for number in range(4)]
        wanted = {name: at[value] if name in {"since", "until"} else value for name, value in wanted.items()}
        with database.write() as db:
            note(db, at[0], subject="a")
            note(db, at[1], subject="b", partner_id=PARTNER)
            note(db, at[2], subject="c", caller=Caller("usr_x", "corr"))
            note(db, at[3], subject="d", action="b.done")
            assert [entry.subject for entry in found(db, **wanted)] == subjects

    def test_goes_on_where_a_page_ended(self, database, now):
        with database.write() as db:
            for subject in "abc":
                note(db, now, subject=subject)
            first = found(db, limit=2)
            rest = found(db, before_seq=first[-1].seq)
        assert [entry.subject for entry in [*first, *rest]] == ["c", "b", "a"]


class TestHeartbeats:
    def test_the_latest_beat_counts(self, database, now):
        with database.write() as db:
            heartbeats.beat(db, "pump", True, now)
            heartbeats.beat(db, "sweeper", True, now)
            heartbeats.beat(db, "pump", False, now + timedelta(seconds=1))
            latest = heartbeats.latest(db)
        assert (latest["pump"].ok, latest["pump"].at) == (False, now + timedelta(seconds=1))
        assert latest["sweeper"].ok
