"""The last day that was said last holds, also where it comes before the one that was announced."""

from datetime import timedelta

import pytest

from chalicelib.partners.members import members
from chalicelib.points.terms import close_outs, terminations
from tests.factories.points import CALLER, NOW, earn, make_earning

pytestmark = pytest.mark.usefixtures("provable", "data_key")


def test_a_last_day_put_off_holds(database):
    """Announced for the 23rd, put off to the 20th of December before it came: nothing is taken in between."""

    with database.write() as db:
        made = make_earning(db, terms={"termination": {"policy": "forfeit"}})
        earn(db, made, 10)
        for day in (3, 30):
            [ref] = members.as_of(db, [members.by_ids(db, [made.member.id])[made.member.id]], NOW.date())
            last = NOW.date() + timedelta(days=day)
            terminations.terminate(db, made.partner, ref, last, reason="a test", caller=CALLER, now=NOW)
        [ref] = members.as_of(db, [members.by_ids(db, [made.member.id])[made.member.id]], NOW.date())
        assert ref.term_date == NOW.date() + timedelta(days=30)
    assert close_outs.run(database, caller=CALLER, clock=lambda: NOW + timedelta(days=5)) == 0


def test_a_last_day_brought_forward_holds(database):
    with database.write() as db:
        made = make_earning(db, terms={"termination": {"policy": "forfeit"}})
        earn(db, made, 10)
        for day in (30, 3):
            [ref] = members.as_of(db, [members.by_ids(db, [made.member.id])[made.member.id]], NOW.date())
            last = NOW.date() + timedelta(days=day)
            terminations.terminate(db, made.partner, ref, last, reason="a test", caller=CALLER, now=NOW)
        [ref] = members.as_of(db, [members.by_ids(db, [made.member.id])[made.member.id]], NOW.date())
        assert ref.term_date == NOW.date() + timedelta(days=3)
    assert close_outs.run(database, caller=CALLER, clock=lambda: NOW + timedelta(days=5)) == 1
