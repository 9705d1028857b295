"""Balances, entries and the trial balance as callers see them."""

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import update

from chalicelib.points.models.ledger import account
from chalicelib.storage.ids import public_id
from tests.factories import partners, points
from tests.factories.access import make_partner_key


@pytest.fixture
def earning(database, data_key):
    """E1 with 15.00 earned, 15.00 earned that expires first, and 5.00 spent."""
    with database.write() as db:
        made = points.make_earning(db)
        points.earn(db, made)
        points.earn(db, made, event_date=date(2026, 10, 2))
        points.spend(db, made.account_id, 500)
        return made


@pytest.fixture
def key(database, earning) -> str:
    with database.write() as db:
        return make_partner_key(db, earning.partner.id)[1]


@pytest.fixture
def other_key(database) -> str:
    with database.write() as db:
        return make_partner_key(db, partners.make_partner(db).id)[1]


@pytest.fixture
def member(earning) -> str:
    return f"/v1/members/{public_id('mbr', earning.member.id)}"


class TestBalance:
    def test_shows_what_may_be_spent_and_what_expires_next(self, api, key, member, earning):
        shown = api.get(f"{member}/balance", key=key)

        assert shown.status == 200
        assert (shown.json["employee_id"], shown.json["as_of"]) == ("E1", None)
        assert shown.json["balances"] == [
            {
                "program_id": public_id("prg", earning.program.id),
                "program": "uniform",
                "unit": "points",
                "available": "25.00",
                "held": "0.00",
                "pending": "0.00",
                "lifetime_earned": "30.00",
                "next_expiry": {"date": "2028-10-02", "points": "10.00"},
                "version": 3,
            }
        ]

    def test_of_a_past_day_is_what_it_was(self, api, key, member, now):
        yesterday = (now - timedelta(days=1)).date()
        before = api.get(f"{member}/balance", key=key, params={"as_of": str(yesterday)})
        today = api.get(f"{member}/balance", key=key, params={"as_of": str(now.date())})

        assert before.json["balances"][0]["available"] == "0.00"
        assert today.json["balances"][0]["available"] == "25.00"

    def test_of_a_past_day_is_of_what_was_posted_and_knows_no_holds(self, api, database, key, member, now, earning):
        with database.write() as db:
            points.hold(db, earning, 700)
        then = api.get(f"{member}/balance", key=key, params={"as_of": str(now.date())})
        current = api.get(f"{member}/balance", key=key)

        [past], [present] = then.json["balances"], current.json["balances"]
        assert (past["available"], past["held"], past["pending"]) == ("25.00", None, None)
        assert (present["available"], present["held"], present["pending"]) == ("18.00", "7.00", "0.00")

    @pytest.mark.parametrize(
        ("at", "refused", "answered"),
        [
            # The program lives in Chicago, six hours behind UTC in November.
            (datetime(2026, 11, 21, 5, 59, tzinfo=UTC), "2026-11-21", "2026-11-20"),
            (datetime(2026, 11, 21, 6, 0, tzinfo=UTC), "2026-11-22", "2026-11-21"),
        ],
    )
    def test_of_a_day_to_come_is_refused(self, api, key, member, edge_clock, at, refused, answered):
        edge_clock.now = at
        answer = api.get(f"{member}/balance", key=key, params={"as_of": refused})

        assert (answer.status, answer.code) == (422, "date_in_future")
        assert f"in America/Chicago it is {answered}" in answer.json["detail"]
        assert api.get(f"{member}/balance", key=key, params={"as_of": answered}).status == 200

    def test_of_a_day_to_come_is_refused_where_nothing_was_earned(self, api, database, key, earning):
        with database.write() as db:
            idle = partners.make_member(db, earning.partner, "E2")
        path = f"/v1/members/{public_id('mbr', idle.id)}/balance"

        assert api.get(path, key=key, params={"as_of": "2099-01-01"}).status == 422

    def test_of_one_program_leaves_out_the_others(self, api, database, key, member, earning):
        with database.write() as db:
            other = partners.make_program(db, earning.partner, "wellness")
        of_other = api.get(f"{member}/balance", key=key, params={"program_id": public_id("prg", other.id)})
        of_own = api.get(f"{member}/balance", key=key, params={"program_id": public_id("prg", earning.program.id)})

        assert (len(of_other.json["balances"]), len(of_own.json["balances"])) == (0, 1)

    def test_is_hidden_from_other_partners(self, api, other_key, member):
        assert api.get(f"{member}/balance", key=other_key).status == 404

    def test_hides_another_partners_program(self, api, database, key, member):
        with database.write() as db:
            foreign = partners.make_program(db, partners.make_partner(db))
        shown = api.get(f"{member}/balance", key=key, params={"program_id": public_id("prg", foreign.id)})

        assert shown.status == 404


class TestEntries:
    def test_are_shown_newest_first_with_signs(self, api, key, member):
        shown = api.get(f"{member}/ledger", key=key)

        assert [(item["entry_no"], item["kind"], item["amount"]) for item in shown.json["items"]] == [
            (3, "redemption", "-5.00"),
            (2, "accrual", "15.00"),
            (1, "accrual", "15.00"),
        ]
        assert [item["accrual_id"] is None for item in shown.json["items"]] == [True, False, False]

    def test_go_on_where_a_page_ended(self, api, key, member):
        first = api.get(f"{member}/ledger", key=key, params={"limit": 2})
        rest = api.get(f"{member}/ledger", key=key, params={"limit": 2, "cursor": first.json["next_cursor"]})

        assert [item["entry_no"] for item in rest.json["items"]] == [1]

    def test_are_hidden_from_other_partners(self, api, other_key, member):
        assert api.get(f"{member}/ledger", key=other_key).status == 404

    def test_of_one_program_leave_out_the_others(self, api, database, key, member, earning):
        with database.write() as db:
            other = partners.make_program(db, earning.partner, "wellness")
        shown = api.get(f"{member}/ledger", key=key, params={"program_id": public_id("prg", other.id)})

        assert shown.json["items"] == []


class TestTrialBalance:
    def test_balances_and_shows_both_sides(self, api, key):
        shown = api.get("/v1/ledger/trial-balance", key=key)

        assert shown.json["balanced"] is True
        [program] = shown.json["programs"]
        assert program["difference"] == "0.00"
        assert {line["kind"]: (line["debits"], line["credits"]) for line in program["lines"]} == {
            "member": ("5.00", "30.00"),
            "issuance": ("30.00", "0.00"),
            "redemption": ("0.00", "5.00"),
        }

    def test_says_when_it_does_not_balance(self, api, database, key):
        with database.write() as db:
            db.execute(update(account).where(account.c.kind == "member").values(credits_posted=3001))
        shown = api.get("/v1/ledger/trial-balance", key=key)

        assert shown.json["balanced"] is False
        assert shown.json["programs"][0]["difference"] == "0.01"

    def test_leaves_out_other_partners(self, api, other_key, earning):
        assert api.get("/v1/ledger/trial-balance", key=other_key).json["programs"] == []
        foreign = {"program_id": public_id("prg", earning.program.id)}
        assert api.get("/v1/ledger/trial-balance", key=other_key, params=foreign).status == 404
