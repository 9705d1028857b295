"""The books over the API: liability, plan years, settlements and statements, and the files that go out for them."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from chalicelib.access.scopes import Role
from chalicelib.files.exporting import books, running
from chalicelib.points.finance import settling
from chalicelib.storage.ids import public_id
from tests.factories import exports, partners, points
from tests.factories.access import make_user_key
from tests.factories.finance import VALUE, settled_by, with_terms
from tests.factories.points import make_earning, redeem

LATER = datetime(2026, 12, 1, 14, tzinfo=UTC)


@pytest.fixture
def earning(database, aws):
    with database.write() as db:
        made = make_earning(db, lots={"expires": None})
        made = with_terms(db, made, value=VALUE, plan_year={"begins": "11-01", "carry_over": {"percent": "20"}})
        settled_by(db, made)
        then = datetime(2026, 10, 5, 18, tzinfo=UTC)
        points.record(db, made.partner, [points.event(event_date=date(2026, 10, 2))], now=then)
        redeem(db, made, 500, now=then)
    return made


@pytest.fixture
def admin(database):
    with database.write() as db:
        return make_user_key(db, Role.ADMIN)[1]


class TestLiability:
    def test_is_shown_as_of_a_day_or_a_moment(self, api, earning, admin):
        path = f"/v1/programs/{public_id('prg', earning.program.id)}/liability"
        now = api.get(path, key=admin)
        then = api.get(path, key=admin, params={"as_of": "2026-10-04"})
        before = api.get(path, key=admin, params={"before": "2026-10-05T18:00:00Z"})
        both = api.get(path, key=admin, params={"before": "2026-10-05T18:00:00Z", "as_of": "2026-10-04"})

        assert (now.json["points"], now.json["value"], now.json["currency"]) == ("10.00", "0.20", "USD")
        assert {each["bucket"]: each["points"] for each in now.json["buckets"]}["never"] == "10.00"
        assert then.json["points"] == before.json["points"] == "0.00"
        assert (both.status, both.code) == (422, "as_of_unclear")
        assert api.get(path, key=admin, params={"as_of": "2999-01-01"}).code == "date_in_future"


class TestPlanYear:
    def test_is_foretold_closed_and_answered_again(self, api, earning, admin):
        path = f"/v1/programs/{public_id('prg', earning.program.id)}/plan-year"
        foretold = api.post(path, {"plan_year": 2025, "dry_run": True}, key=admin)
        closed = api.post(path, {"plan_year": 2025}, key=admin)
        again = api.post(path, {"plan_year": 2025}, key=admin)
        early = api.post(path, {"plan_year": 2999}, key=admin)

        figures = ("members", "before", "carried", "forfeited")
        assert [foretold.json[name] for name in figures] == [1, "10.00", "2.00", "8.00"]
        assert (foretold.json["state"], closed.json["state"]) == ("trial", "done")
        assert (foretold.status, closed.status, again.status) == (200, 201, 200)
        assert again.json == closed.json
        assert {name: closed.json[name] for name in figures} == {name: foretold.json[name] for name in figures}
        assert early.code == "plan_year_open"


class TestSettlements:
    def test_are_made_shown_and_taken_back(self, api, earning, admin):
        asked = {"partner_id": earning.partner.code, "period": "2026-10"}
        made = api.post("/v1/settlements", asked, key=admin)
        again = api.post("/v1/settlements", asked, key=admin)
        shown = api.get(f"/v1/settlements/{made.json['id']}", key=admin)
        wrong = api.post("/v1/settlements", {"settlement_id": made.json["id"], "reason": "a test"}, key=admin)
        unclear = api.post("/v1/settlements", {"settlement_id": made.json["id"]}, key=admin)

        assert (made.status, again.status, wrong.status) == (201, 200, 201)
        assert made.json == again.json == shown.json
        [line] = made.json["lines"]
        assert (line["points_redeemed"], line["value"], line["total"], line["difference"]) == (
            "5.00",
            "0.10",
            "0.11",
            "0.00",
        )
        [posting] = made.json["postings"]
        assert {each["dr_cr"] for each in posting["lines"]} == {"D", "C"}
        assert (wrong.json["kind"], wrong.json["lines"][0]["total"]) == ("reversal", "-0.11")
        assert unclear.code == "settlement_unclear"

    def test_of_many_members_go_on_after_the_answer(self, api, database, earning, admin, monkeypatch):
        monkeypatch.setattr(settling, "SLICE_ACCOUNTS", 1)
        with database.write() as db:
            people = partners.make_members(db, earning.partner, settling.SLICES_AT_ONCE)
            events = [points.event(employee_id=number, event_date=date(2026, 10, 2)) for number in people]
            points.record(db, earning.partner, events, now=datetime(2026, 10, 6, 18, tzinfo=UTC))
        asked = {"partner_id": earning.partner.code, "period": "2026-10"}

        first = api.post("/v1/settlements", asked, key=admin)
        other = api.post("/v1/settlements", {**asked, "period": "2026-09"}, key=admin)
        books.go_on(database, clock=lambda: LATER)
        then = api.post("/v1/settlements", asked, key=admin)

        assert (first.status, first.json["state"], first.json["id"], first.json["lines"]) == (202, "running", None, [])
        assert (other.status, other.code) == (409, "settlement_running")
        assert (then.status, then.json["state"], then.json["entries"]) == (200, "done", 2 + settling.SLICES_AT_ONCE)


class TestStatements:
    def test_are_written_listed_and_fetched(self, api, database, earning, admin):
        member = public_id("mbr", earning.member.id)
        asked = {"partner_code": earning.partner.code, "period": "2026-10"}
        whole = api.post("/v1/statements", asked, key=admin)
        again = api.post("/v1/statements", asked, key=admin)
        own = api.post("/v1/statements", {**asked, "member_id": member}, key=admin)
        for each in (whole, own):
            running.handle(database, {"export": each.json["id"]}, clock=lambda: LATER)
        shown = api.get(f"/v1/statements/{whole.json['id']}", key=admin)
        listed = api.get("/v1/statements", key=admin, params={"period": "2026-10"})
        of_member = api.get("/v1/statements", key=admin, params={"member_id": member})

        assert (whole.status, again.status, own.status) == (202, 200, 202)
        assert (shown.json["state"], shown.json["rows"], shown.json["period"]) == ("written", 1, "2026-10")
        assert shown.json["link"].startswith("http")
        assert [each["id"] for each in listed.json["items"]] == [own.json["id"], whole.json["id"]]
        assert [(each["id"], each["member_id"]) for each in of_member.json["items"]] == [(own.json["id"], member)]
        assert api.get("/v1/statements", key=admin, params={"period": "2026-09"}).json["items"] == []


class TestTheMonthsSchedule:
    def test_settles_and_states_once_and_sends_sap_every_document_once(self, database, earning):
        found = database
        with found.read() as db:
            [foretold] = books.due(db, LATER)
        first = books.close_month(found, clock=lambda: LATER)
        second = books.close_month(found, clock=lambda: LATER)
        assert (foretold.month.name, foretold.settled) == ("2026-11", False)
        assert (first, second) == ((1, 2, {}), (0, 0, {}))
        assert (books.send_postings(found, now=LATER), books.send_postings(found, now=LATER)) == (1, 0)

        sent = exports.write(found, "sap_postings", mode="delta", now=LATER)
        nothing = exports.write(found, "sap_postings", mode="delta", now=LATER)
        assert {(row["source_type"], row["partner_code"]) for row in sent.rows} == {
            ("settlement", earning.partner.code)
        }
        debit, credit = (sum(row["amount"] for row in sent.rows if row["dr_cr"] == side) for side in "DC")
        assert debit == credit == Decimal("0.11")
        assert nothing.file.state == "empty"

    def test_passes_over_who_cannot_be_settled(self, database, earning):
        with database.write() as db:
            # Points were redeemed, and nothing says what they are worth.
            with_terms(db, earning)

        assert books.close_month(database, clock=lambda: LATER) == (0, 0, {earning.partner.code: "point_value_missing"})
