"""/v1/members/{member_id}/timeline as callers see it."""

from datetime import date, timedelta

import pytest

from chalicelib.access import audit
from chalicelib.access.caller import Caller
from chalicelib.access.scopes import Role, Scope
from chalicelib.storage.ids import new_id, public_id
from tests.factories.access import make_partner_key, make_user_key
from tests.factories.deliveries import make_target as _make_target
from tests.factories.deliveries import mapping_document
from tests.factories.partners import NOW, apply_rows, roster_row
from tests.factories.points import event, make_earning, record, spend
from tests.factories.rules import live_ruleset

LATER = NOW + timedelta(hours=1)
LATEST = NOW + timedelta(hours=2)


@pytest.fixture
def story(database, data_key):
    """Hired and enrolled, earned, earned again, changed, spent, edited."""
    with database.write() as db:
        earning = make_earning(db)
        live_ruleset(db, None, mapping_document())
        _make_target(db, earning.partner.id)
        record(db, earning.partner, [event(event_id="one")])
        record(db, earning.partner, [event(event_id="two")], now=LATER)
        changed = roster_row("E1", action="C", job_code="PILOT", effective_date=date(2026, 6, 1))
        apply_rows(db, earning.partner, [changed], now=LATER)
        spend(db, account_of(db, earning), 500, now=LATEST)
        audit.record(
            db,
            caller=Caller("usr_x", "corr-1234"),
            action="member.corrected",
            subject=public_id("mbr", earning.member.id),
            partner_id=earning.partner.id,
            reason="a phone call",
            now=LATEST,
        )
    return earning


def account_of(db, earning):
    from chalicelib.partners.account_ids import account_id

    return account_id(earning.program.id, "member", earning.member.id)


@pytest.fixture
def admin(database):
    with database.write() as db:
        return make_user_key(db)[1]


def path(earning):
    return f"/v1/members/{public_id('mbr', earning.member.id)}/timeline"


def told(answer):
    return [(item["kind"], item["detail"]) for item in answer.json["items"]]


class TestTheStory:
    def test_is_told_in_one_order_the_latest_first(self, api, story, admin):
        answer = api.get(path(story), key=admin)
        assert answer.status == 200
        assert [item["kind"] for item in answer.json["items"]] == [
            "edit",
            "entry",
            "entry",
            "accrual",
            "roster",
            "delivery",
            "entry",
            "accrual",
            "enrolment",
            "roster",
        ]
        moments = [item["at"] for item in answer.json["items"]]
        assert moments == sorted(moments, reverse=True)

    def test_says_what_happened(self, api, story, admin):
        by_kind = {}
        for kind, detail in told(api.get(path(story), key=admin)):
            by_kind.setdefault(kind, []).append(detail)
        assert [entry["points"] for entry in by_kind["entry"]] == ["-5.00", "15.00", "15.00"]
        assert [accrual["event_id"] for accrual in by_kind["accrual"]] == ["two", "one"]
        assert [roster["job_code"] for roster in by_kind["roster"]] == ["PILOT", "CREW"]
        assert by_kind["edit"][0]["reason"] == "a phone call"
        assert by_kind["delivery"][0]["target"] == "store"

    def test_tells_nothing_personal(self, api, story, admin):
        answer = api.get(path(story), key=admin)
        assert not any(word in answer.text for word in ("Haze", "Dolores", "example.com"))

    @pytest.mark.parametrize("limit", [1, 2, 3, 7])
    def test_is_read_to_its_end_by_pages(self, api, story, admin, limit):
        whole = api.get(path(story), key=admin).json["items"]
        pieces, cursor = [], None
        for _ in range(20):
            page = api.get(path(story), key=admin, params={"limit": limit, "cursor": cursor}).json
            pieces += page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert pieces == whole

    def test_may_be_narrowed_to_some_kinds(self, api, story, admin):
        answer = api.get(path(story), key=admin, params={"kind": ["roster", "edit"]})
        assert [kind for kind, _ in told(answer)] == ["edit", "roster", "roster"]
        assert api.get(path(story), key=admin, params={"kind": "gossip"}).status == 400

    def test_leaves_out_what_the_key_may_not_read_elsewhere(self, api, story, database):
        with database.write() as db:
            _, members_only = make_partner_key(db, story.partner.id, scopes={Scope.MEMBERS_READ})
            _, viewer = make_user_key(db, Role.VIEWER)
        assert {kind for kind, _ in told(api.get(path(story), key=members_only))} == {"roster", "enrolment"}
        assert "edit" not in {kind for kind, _ in told(api.get(path(story), key=viewer))}

    def test_of_another_partners_member_is_not_there(self, api, story, database):
        with database.write() as db:
            _, other = make_partner_key(db, new_id())
        assert api.get(path(story), key=other).status == 404

    def test_of_nobody_is_not_there(self, api, admin):
        assert api.get(f"/v1/members/{public_id('mbr', new_id())}/timeline", key=admin).status == 404
