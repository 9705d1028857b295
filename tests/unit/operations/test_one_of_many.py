"""Of every job that walks programs, partners or people: what fails for one of them keeps nobody from their turn."""

import importlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from chalicelib.access import heartbeats
from chalicelib.access.rounds import Round, SomeFailed
from chalicelib.errors import Unavailable
from chalicelib.files.models.files import export_file, file_alert
from chalicelib.operations import erasure, retaining, schedules
from chalicelib.partners.models.erasures import member_erasure
from chalicelib.partners.models.partners import member as member_table
from chalicelib.partners.models.partners import partner as partner_table
from chalicelib.partners.models.partners import program as program_table
from chalicelib.points.finance import settlements, settling
from chalicelib.points.models.books import plan_year_close
from chalicelib.points.models.ledger import hold as hold_table
from chalicelib.points.plan_years import closes, closing
from chalicelib.points.spending import holds
from chalicelib.storage.ids import new_id
from chalicelib.web import clock
from local import invocation
from local.event_sources import schedule_sources
from tests.factories import finance
from tests.factories.partners import apply_rows, roster_row
from tests.factories.points import CALLER, NOW, Earning, available, counters, earn, hold, make_earning

HIRE = {"code": "starter", "on": "anniversary", "event_type": "ANNIVERSARY", "quantity": "10"}
LATER = datetime(2027, 1, 10, 18, tzinfo=UTC)
MUCH_LATER = datetime(2028, 11, 4, 2, tzinfo=UTC)


@dataclass(frozen=True)
class Story:
    """What a job finds to do for somebody, data that make it fail, and whether it was done."""

    prepare: Callable[[Any], Earning]
    spoil: Callable[[Any, Earning], None]
    done: Callable[[Any, Earning], bool]
    at: datetime = NOW


def of_terms(**terms: Any) -> Callable[[Any], Earning]:
    def prepare(db: Any) -> Earning:
        made = make_earning(db, terms=terms)
        earn(db, made)
        return made

    return prepare


def plain(db: Any) -> Earning:
    made = make_earning(db)
    earn(db, made)
    return made


def who_has_left(db: Any, prepare: Callable[[Any], Earning] = plain, *, days_ago: int = 0) -> Earning:
    made = prepare(db)
    day = NOW.date() - timedelta(days=days_ago)
    row = roster_row(action="T", term_date=day, effective_date=day + timedelta(days=1))
    assert apply_rows(db, made.partner, [row]) == ["accepted"]
    return made


def whose_year_is_being_closed(db: Any) -> Earning:
    made = of_terms(plan_year={"begins": "01-01"})(db)
    closing.begin(db, made.program, 2026, caller=CALLER, now=LATER)
    return made


def whose_basket_is_over(db: Any) -> Earning:
    made = plain(db)
    hold(db, made, 100, ttl_s=60, reference="basket")
    return made


def to_be_settled(db: Any) -> Earning:
    made = of_terms(value=finance.VALUE)(db)
    finance.settled_by(db, made)
    return made


def being_settled(db: Any) -> Earning:
    made = to_be_settled(db)
    settling.begin(db, made.partner, "2026-10", caller=CALLER, now=NOW)
    return made


def to_be_erased(db: Any) -> Earning:
    made = plain(db)
    erasure.request(db, made.member.id, reason="asked for it", caller=CALLER, now=NOW)
    return made


def long_gone(db: Any) -> Earning:
    retaining.change(db, "former_members", 30, caller=CALLER, now=NOW)
    return who_has_left(db, days_ago=2)


def whose_manifest_has(**manifest: Any) -> Callable[[Any], Earning]:
    def prepare(db: Any) -> Earning:
        made = plain(db)
        own = partner_table.c.id == made.partner.id
        db.execute(update(partner_table).where(own).values(manifest=json.dumps(manifest)))
        return made

    return prepare


def spoil_manifest(db: Any, of: Earning) -> None:
    broken = json.dumps({"exports": [7], "expected_files": [7], "settlement": 7})
    db.execute(update(partner_table).where(partner_table.c.id == of.partner.id).values(manifest=broken))


def spoil_terms(db: Any, of: Earning) -> None:
    broken = json.dumps({"grants": [7], "termination": 7})
    db.execute(update(program_table).where(program_table.c.id == of.program.id).values(terms=broken))


def spoil_zone(db: Any, of: Earning) -> None:
    db.execute(update(program_table).where(program_table.c.id == of.program.id).values(time_zone="Nowhere/Else"))


def spoil_partners_zone(db: Any, of: Earning) -> None:
    db.execute(update(partner_table).where(partner_table.c.id == of.partner.id).values(time_zone="Nowhere/Else"))


def spoil_close(db: Any, of: Earning) -> None:
    own = plan_year_close.c.program_id == of.program.id
    db.execute(update(plan_year_close).where(own).values(rules='{"held": 7}'))


def spoil_hold(db: Any, of: Earning) -> None:
    db.execute(update(hold_table).where(hold_table.c.account_id == of.account_id).values(account_id=new_id()))


def spoil_erasure(db: Any, of: Earning) -> None:
    db.execute(update(member_erasure).where(member_erasure.c.member_id == of.member.id).values(sought=b"x" * 64))


def spoil_personal(db: Any, of: Earning) -> None:
    db.execute(update(member_table).where(member_table.c.id == of.member.id).values(personal=b"x" * 64))


def spent_nothing(minor: int, at: datetime) -> Callable[[Any, Earning], bool]:
    return lambda db, of: available(db, of, now=at) == (minor, 0)


def is_released(db: Any, of: Earning) -> bool:
    [held] = db.execute(select(hold_table.c.id).where(hold_table.c.account_id == of.account_id)).scalars()
    return holds.by_id(db, held).state == "expired"


def is_closed(db: Any, of: Earning) -> bool:
    close = closes.of_year(db, of.program.id, 2026)
    return close is not None and close.done


def is_erased(db: Any, of: Earning) -> bool:
    found = erasure.of_member(db, of.member.id)
    return found is not None and found.state == "done"


def is_expired(db: Any, of: Earning) -> bool:
    return counters(db, of.account_id)["debits_posted"] == 1500


def is_to_be_erased(db: Any, of: Earning) -> bool:
    return erasure.of_member(db, of.member.id) is not None


def is_missed(db: Any, of: Earning) -> bool:
    return of.partner.id in set(db.execute(select(file_alert.c.partner_id)).scalars())


def is_sent(db: Any, of: Earning) -> bool:
    return of.partner.id in set(db.execute(select(export_file.c.partner_id)).scalars())


EXPECTED = {"layout": "hours", "since": "2026-11-10", "due": "06:00"}
SENT = {"export": "expiry_notice", "since": "2026-11-01"}
STORIES = {
    "periodic_accruals": Story(of_terms(grants=[HIRE]), spoil_terms, spent_nothing(3000, NOW)),
    "close_outs": Story(
        lambda db: who_has_left(db, of_terms(termination={"policy": "forfeit"})),
        spoil_terms,
        spent_nothing(0, NOW + timedelta(days=1)),
        NOW + timedelta(days=1),
    ),
    "expirations": Story(plain, spoil_zone, is_expired, MUCH_LATER),
    "plan_years": Story(whose_year_is_being_closed, spoil_close, is_closed, LATER),
    "hold_sweeper": Story(whose_basket_is_over, spoil_hold, is_released, NOW + timedelta(minutes=5)),
    "erasures": Story(to_be_erased, spoil_erasure, is_erased),
    "retention": Story(long_gone, spoil_personal, is_to_be_erased, NOW + timedelta(days=100)),
    "missing_files": Story(whose_manifest_has(expected_files=[EXPECTED]), spoil_manifest, is_missed),
    "partner_exports": Story(whose_manifest_has(exports=[SENT]), spoil_manifest, is_sent),
    "monthly_books": Story(
        to_be_settled, spoil_partners_zone, lambda db, of: bool(settlements.of_period(db, of.partner.id, "2026-10"))
    ),
    "settlements": Story(
        being_settled, spoil_manifest, lambda db, of: bool(settlements.of_period(db, of.partner.id, "2026-10"))
    ),
}
#: Jobs that walk nobody, with the reason.
OTHERS = {
    "outbox_pump": "claims deliveries of each target, which fail one by one",
    "intake_sweeper": "sends a message for each object or file, and reads none of them",
    "backtest_sweeper": "sends a message for each back-test",
    "export_sweeper": "sends a message for each export",
    "ledger_checkpoint": "chains rows as they are, and reads none of them",
    "balances_export": "asks for one file of all partners",
    "netsuite_orders": "asks for one file of all partners",
    "sap_postings": "asks for one file of all partners",
}


def test_every_job_is_thought_of():
    assert STORIES.keys() | OTHERS.keys() == schedules.SCHEDULES.keys()


@pytest.mark.usefixtures("aws")
class TestAJob:
    @pytest.mark.parametrize("name", STORIES)
    def test_is_done_for_all_others_and_says_that_it_failed(self, database, name, monkeypatch):
        story = STORIES[name]
        with database.write() as db:
            # On both sides of the one that fails, in whatever order the job takes them.
            first, bad, last = story.prepare(db), story.prepare(db), story.prepare(db)
            story.spoil(db, bad)

        with pytest.raises(SomeFailed):
            run(name, database, story.at, monkeypatch)

        with database.read() as db:
            assert (story.done(db, first), story.done(db, last)) == (True, True)
            assert not heartbeats.latest(db)[name].ok

    @pytest.mark.parametrize("name", ["close_outs", "expirations"])
    def test_that_a_person_began_says_so_too(self, database, name):
        story = STORIES[name]
        with database.write() as db:
            story.spoil(db, story.prepare(db))

        with pytest.raises(SomeFailed):
            schedules.handle(database, {"schedule": name, "actor": "usr_1", "correlation_id": "x"}, now=story.at)

        with database.read() as db:
            assert not heartbeats.latest(db)[f"{name} by hand"].ok


def run(name, database, at, monkeypatch):
    app = importlib.import_module("app")
    monkeypatch.setattr(app, "database", lambda: database)
    monkeypatch.setattr(clock, "now", lambda: at)
    [source] = [each for each in schedule_sources(app.app) if each.name == name]
    source.handler(invocation.schedule_event(source.name, at), invocation.Context(source.name, 60))


def in_turn(*errors: Exception | None, then: Exception | None = None) -> list[int]:
    """Turns that end so, one after the other; which of them were begun, and which failed."""
    begun: list[int] = []
    with Round("close_outs") as each:
        for number, error in enumerate(errors):
            with each.turn(str(number)):
                begun.append(number)
                if error is not None:
                    raise error
        if then is not None:
            raise then
    return begun


class TestARound:
    def test_goes_on_after_a_failure_and_names_how_many_there_were(self):
        with pytest.raises(SomeFailed, match="failed for 2"):
            in_turn(ValueError(), None, KeyError())

    def test_in_which_nothing_failed_ends_quietly(self):
        assert in_turn(None, None) == [0, 1]

    def test_ends_where_nothing_answers_any_more(self):
        silent = Unavailable("The database does not answer.")
        with pytest.raises(Unavailable):
            in_turn(silent, silent, silent, None)

    def test_goes_on_where_something_did_not_answer_now_and_then(self):
        silent = Unavailable("The database does not answer.")
        with pytest.raises(SomeFailed, match="failed for 4"):
            in_turn(silent, silent, None, silent, silent)

    def test_hides_no_failure_of_its_own(self):
        with pytest.raises(ZeroDivisionError):
            in_turn(ValueError(), then=ZeroDivisionError())
