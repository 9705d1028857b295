"""Taking a version back: the one before decides again from a day; what was decided stays, what was planned stays."""

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import select

from chalicelib.access.models import audit_event
from chalicelib.errors import Conflict, InvalidInput, NotFound
from chalicelib.rules import activation, catalogue, golden, rulesets
from tests.factories.access import make_user
from tests.factories.rules import AUTHOR, accrual_document, golden_case

ACME = b"acme" * 4
JANUARY, MARCH, JULY, OCTOBER = (date(2026, month, 1) for month in (1, 3, 7, 10))
START = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def at(hours: int) -> datetime:
    return START + timedelta(hours=hours)


@pytest.fixture
def life(database):
    """A ruleset whose versions are named by their rates."""
    return Life(database)


class Life:
    def __init__(self, database) -> None:
        self.database = database
        self.hours = 0

    def promote(self, rate: str, day: date, **changes) -> None:
        self.hours += 1
        with self.database.write() as db:
            written = accrual_document(rate=rate, **changes)
            saved = rulesets.save(db, written, partner_id=ACME, caller=AUTHOR, now=at(self.hours))
            rulesets.activate(
                db, "acme.accrual", saved.version_id, effective_from=day, caller=AUTHOR, now=at(self.hours)
            )

    def roll_back(self, day: date) -> activation.RolledBack:
        self.hours += 1
        with self.database.write() as db:
            return activation.roll_back(
                db, "acme.accrual", effective_from=day, reason="wrong rate", caller=AUTHOR, now=at(self.hours)
            )

    def decides(self, *, hours: int | None = None) -> list[str]:
        """The rate on the first of January, March, July, October."""
        with self.database.read() as db:
            known = rulesets.timeline(db, "acme.accrual", known_at=at(99 if hours is None else hours))
        found = [known.on(day) for day in (JANUARY, MARCH, JULY, OCTOBER)]
        return ["" if each is None else str(each.document["outputs"]["points"]["expr"]["*"][1]) for each in found]


class TestRollingBack:
    def test_lets_the_version_before_decide_again_from_the_day(self, life):
        life.promote("1", JANUARY)
        life.promote("2", MARCH)
        done = life.roll_back(JULY)

        assert life.decides() == ["1", "2", "1", "1"]
        assert (done.withdrawn.number, [(day, each.number) for day, each in done.restored]) == (2, [(JULY, 1)])

    def test_changes_nothing_of_what_was_known_before(self, life):
        life.promote("1", JANUARY)
        life.promote("2", MARCH)
        life.roll_back(MARCH)

        assert life.decides(hours=2) == ["1", "2", "2", "2"]
        assert life.decides() == ["1", "1", "1", "1"]

    def test_twice_goes_further_back_and_not_forth_again(self, life):
        life.promote("1", JANUARY)
        life.promote("2", MARCH)
        life.promote("3", JULY)
        life.roll_back(JULY)
        assert life.decides() == ["1", "2", "2", "2"]
        life.roll_back(JULY)

        assert life.decides() == ["1", "2", "1", "1"]
        with pytest.raises(Conflict) as refused:
            life.roll_back(JULY)
        assert refused.value.code == "nothing_to_roll_back"

    def test_keeps_what_another_version_was_planned_for(self, life):
        life.promote("1", JANUARY)
        life.promote("2", OCTOBER)
        life.promote("3", MARCH)
        assert life.decides() == ["1", "3", "3", "3"]
        done = life.roll_back(MARCH)

        assert life.decides() == ["1", "1", "1", "2"]
        assert [(day, each.number) for day, each in done.restored] == [(MARCH, 1), (OCTOBER, 2)]

    def test_keeps_a_version_that_was_planned_after_it(self, life):
        life.promote("1", JANUARY)
        life.promote("3", MARCH)
        life.promote("2", OCTOBER)
        life.roll_back(MARCH)

        assert life.decides() == ["1", "1", "1", "2"]

    def test_can_be_followed_by_a_new_version_and_taken_back_again(self, life):
        life.promote("1", JANUARY)
        life.promote("2", MARCH)
        life.roll_back(MARCH)
        life.promote("4", JULY)
        assert life.decides() == ["1", "1", "4", "4"]
        life.roll_back(JULY)

        assert life.decides() == ["1", "1", "1", "1"]

    def test_the_same_version_may_come_again(self, life):
        life.promote("1", JANUARY)
        life.promote("2", MARCH)
        life.roll_back(MARCH)
        life.promote("2", MARCH)

        assert life.decides() == ["1", "2", "2", "2"]

    def test_is_in_the_history_and_in_the_audit_trail(self, life):
        life.promote("1", JANUARY)
        life.promote("2", MARCH)
        life.roll_back(MARCH)
        with life.database.read() as db:
            history = catalogue.history(db, "acme.accrual")
            [entry] = db.execute(select(audit_event).where(audit_event.c.action == "ruleset.rolled_back")).all()

        assert [(each.number, each.withdraws_number) for each in history.activations] == [(1, None), (2, None), (1, 2)]
        assert entry.reason == "wrong rate"
        assert '"version":2' in entry.before


class TestWhatCannotBeTakenBack:
    def test_the_first_version(self, life):
        life.promote("1", JANUARY)
        with pytest.raises(Conflict, match="decided before on 2026-03-01"):
            life.roll_back(MARCH)

    def test_a_day_on_which_nothing_decides(self, life):
        life.promote("1", JULY)
        with pytest.raises(Conflict, match="decides on 2026-03-01"):
            life.roll_back(MARCH)

    def test_to_a_version_that_is_not_meant_for_the_day(self, life):
        november = date(2026, 11, 1)
        life.promote("1", JANUARY, effective={"from": "2026-01-01", "to": "2026-10-31"})
        life.promote("2", november)
        with pytest.raises(InvalidInput, match="days up to 2026-10-31"):
            life.roll_back(november)

    def test_an_unknown_ruleset(self, life):
        with pytest.raises(NotFound):
            life.roll_back(JULY)

    @pytest.mark.parametrize("day", [date(9999, 12, 31), date(2028, 1, 1)])
    def test_from_a_day_on_which_nobody_would_notice_that_nothing_changed(self, life, day):
        life.promote("1", JANUARY)
        life.promote("2", MARCH)
        with pytest.raises(InvalidInput) as refused:
            life.roll_back(day)
        assert refused.value.code == "rollback_too_far_ahead"

    def test_but_what_is_planned_for_a_far_day_can(self, life):
        life.promote("1", JANUARY)
        life.promote("2", date(2030, 1, 1))
        assert life.roll_back(date(2030, 1, 1)).withdrawn.number == 2


class TestTakingBackMustNotWait:
    def test_for_golden_cases_that_speak_of_the_new_version(self, life):
        life.promote("1.5", JANUARY)
        life.promote("2", MARCH)
        with life.database.write() as db:
            golden.put(db, "acme.accrual", "four-hours", golden_case("2"), caller=AUTHOR, now=at(9))
        life.roll_back(MARCH)

        assert life.decides() == ["1.5", "1.5", "1.5", "1.5"]

    def test_for_another_approval(self, life, monkeypatch):
        life.promote("1", JANUARY)
        life.promote("2", MARCH)
        with life.database.write() as db:
            make_user(db)
        monkeypatch.setattr(activation.approvals, "require", lambda *_, **__: pytest.fail("asked for approval"))
        life.roll_back(MARCH)

        assert life.decides() == ["1", "1", "1", "1"]
