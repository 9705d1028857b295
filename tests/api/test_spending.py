"""Holds, redemptions, refunds, corrections and expiry as callers see them."""

from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.access.scopes import Role
from chalicelib.storage.ids import public_id
from tests.factories import finance, points
from tests.factories.access import make_partner_key, make_user_key


@pytest.fixture
def earning(database, data_key):
    """E1 with 15.00 points, in a program that leaves reversals overdrawn."""
    with database.write() as db:
        made = points.with_rules(db, points.make_earning(db), corrections={"reversal": "overdraft"})
        points.earn(db, made)
        return made


@pytest.fixture
def key(database, earning) -> str:
    with database.write() as db:
        return make_user_key(db, Role.OPERATOR)[1]


@pytest.fixture
def approver(database, earning) -> str:
    with database.write() as db:
        return make_user_key(db, Role.APPROVER)[1]


@pytest.fixture
def of_member(earning):
    named = {"partner_code": earning.partner.code, "program_code": "uniform", "employee_id": "E1"}
    return lambda **more: {**named, **more}


def balance(api, key, earning):
    path = f"/v1/members/{public_id('mbr', earning.member.id)}/balance"
    [shown] = api.get(path, key=key).json["balances"]
    return shown["available"], shown["held"]


class TestHolds:
    def test_are_placed_captured_and_released(self, api, key, earning, of_member):
        body = of_member(points="10", reference="basket", ttl_s=600)
        placed = api.post("/v1/holds", body, key=key)
        assert (placed.status, placed.json["state"], placed.json["open"]) == (201, "open", "10.00")
        assert [(each["points"], each["open"]) for each in placed.json["lots"]] == [("10.00", "10.00")]
        assert api.post("/v1/holds", body, key=key).status == 200
        assert balance(api, key, earning) == ("5.00", "10.00")

        path = f"/v1/holds/{placed.json['id']}"
        captured = api.post(f"{path}/capture", {"reference": "s-1", "points": "4"}, key=key)
        assert (captured.status, captured.json["points"]) == (201, "4.00")
        assert api.post(f"{path}/capture", {"reference": "s-1", "points": "4"}, key=key).status == 200
        released = api.post(f"{path}/release", {}, key=key, headers={"Idempotency-Key": "r"})

        assert (released.json["state"], released.json["captured"], released.json["released"]) == (
            "released",
            "4.00",
            "6.00",
        )
        assert api.get(path, key=key).json == released.json
        assert balance(api, key, earning) == ("11.00", "0.00")

    def test_refuse_by_name(self, api, key, of_member):
        def place(points, **more):
            body = of_member(points=points, **{"reference": "a", "order_no": "o-1"} | more)
            return api.post("/v1/holds", body, key=key)

        assert place("15.01").code == "insufficient_points"
        assert place("0.001").code == "excess_digits"
        assert place("0").code == "amount_out_of_range"
        assert place("1", order_no=None).code == "hold_without_end"
        assert place("1").status == 201
        assert place("2").code == "other_content"
        assert place("1", order_no="o-2").code == "other_content"
        assert place("1", reference="b", employee_id="E9").code == "unknown_member"

    def test_whose_time_is_over_are_not_captured(self, api, key, of_member, edge_clock):
        placed = api.post("/v1/holds", of_member(points="1", reference="a", ttl_s=60), key=key).json
        edge_clock.now += timedelta(seconds=60)
        answer = api.post(f"/v1/holds/{placed['id']}/capture", {"reference": "s"}, key=key)

        assert (answer.status, answer.code) == (409, "hold_ended")

    def test_are_kept_once_their_basket_is_an_order(self, api, key, of_member, edge_clock):
        placed = api.post("/v1/holds", of_member(points="1", reference="a", ttl_s=60), key=key).json
        path = f"/v1/holds/{placed['id']}"
        bound = api.post(f"{path}/bind", {"order_no": "o-1"}, key=key)
        assert (bound.status, bound.json["order_no"], bound.json["expires_at"]) == (200, "o-1", None)
        assert api.post(f"{path}/bind", {"order_no": "o-1"}, key=key).json == bound.json
        assert api.post(f"{path}/bind", {"order_no": "o-2"}, key=key).code == "hold_bound"
        edge_clock.now += timedelta(seconds=61)

        assert api.post(f"{path}/capture", {"reference": "s"}, key=key).status == 201

    def test_tell_who_placed_them_and_what_became_of_them(self, api, key, of_member):
        placed = api.post("/v1/holds", of_member(points="10", reference="a", ttl_s=60), key=key).json
        path = f"/v1/holds/{placed['id']}"
        api.post(f"{path}/bind", {"order_no": "o-1"}, key=key)
        captured = api.post(f"{path}/capture", {"reference": "s", "points": "4"}, key=key).json
        api.post(f"{path}/release", {"points": "5"}, key=key, headers={"Idempotency-Key": "r"})
        told = api.get(f"{path}/lineage", key=key).json

        assert told["hold"] == api.get(path, key=key).json
        assert told["placed_by"].startswith(("usr_", "key_"))
        assert [each["opened_by"]["kind"] for each in told["lots"]] == ["accrual"]
        assert [each["id"] for each in told["captures"]] == [captured["id"]]
        assert [(each["action"], each["points"], each["order_no"]) for each in told["changes"]] == [
            ("hold.bound", None, "o-1"),
            ("hold.released", "5.00", None),
        ]

    def test_are_not_a_partners_to_place(self, api, database, earning, of_member):
        with database.write() as db:
            partner_key = make_partner_key(db, earning.partner.id)[1]

        assert api.post("/v1/holds", of_member(points="1", reference="a"), key=partner_key).code == "scope_missing"


class TestRedemptions:
    def test_come_back_line_by_line(self, api, key, earning, of_member):
        lines = [{"line": "1", "points": "4"}, {"line": "2", "points": "2.50"}]
        made = api.post("/v1/redemptions", of_member(reference="t-1", order_no="o-1", lines=lines), key=key)
        assert (made.status, made.json["points"]) == (201, "6.50")
        path = f"/v1/redemptions/{made.json['id']}"
        back = api.post(f"{path}/refund", {"reference": "rma", "lines": [{"line": "2"}]}, key=key)
        assert (back.status, back.json["points"], back.json["graced"]) == (201, "2.50", "0.00")
        again = api.post(f"{path}/refund", {"reference": "rma-2", "lines": [{"line": "2"}]}, key=key)
        over = api.post(f"{path}/refund", {"reference": "rma-3", "lines": [{"line": "1", "points": "4.01"}]}, key=key)
        assert (again.code, over.code) == ("line_refunded", "refund_exceeds_line")

        shown = api.get(path, key=key).json
        assert [(each["line"], each["refunded"]) for each in shown["lines"]] == [("1", "0.00"), ("2", "2.50")]
        assert shown["refunds"] == [back.json]
        found = api.get("/v1/redemptions", key=key, params={"order_no": "o-1"}).json["items"]
        assert [each["id"] for each in found] == [made.json["id"]]
        assert balance(api, key, earning) == ("11.00", "0.00")

    def test_show_in_the_ledger_with_their_cause_and_lots(self, api, key, earning, of_member):
        lines = [{"line": "1", "points": "4"}]
        made = api.post("/v1/redemptions", of_member(reference="t-1", lines=lines), key=key).json
        back = {"reference": "rma", "lines": [{"line": "1", "points": "1"}]}
        refund = api.post(f"/v1/redemptions/{made['id']}/refund", back, key=key).json
        entries = api.get(f"/v1/members/{public_id('mbr', earning.member.id)}/ledger", key=key).json["items"]
        assert [(each["kind"], each["amount"], each["source_id"]) for each in entries[:2]] == [
            ("refund", "1.00", refund["id"]),
            ("redemption", "-4.00", made["id"]),
        ]
        lineage = api.get(f"/v1/ledger/entries/{refund['entry_id']}/lineage", key=key).json

        assert [(each["points"], each["opened_by"]["kind"]) for each in lineage["taken"]] == [("-1.00", "accrual")]
        cause = lineage["cause"]
        assert (cause["reference"], cause["redemption_id"], cause["source"]) == ("rma", made["id"], None)
        assert cause["actor"].startswith(("usr_", "key_"))
        assert lineage["decided"] is None


class TestCorrections:
    def test_adjustments_wait_for_another_person(self, api, key, approver, earning, of_member):
        body = of_member(points="-3", reference="a-1", reason_code="correction")
        asked = api.post("/v1/ledger/adjustments", body, key=key)
        assert (asked.status, asked.json["state"]) == (201, "pending")
        path = f"/v1/ledger/adjustments/{asked.json['id']}/approve"
        assert api.post(path, {"decision": "approve"}, key=key).code == "scope_missing"
        waiting = api.get("/v1/ledger/adjustments", key=approver, params={"state": "pending"}).json["items"]
        assert waiting == [asked.json]
        decided = api.post(path, {"decision": "approve", "comment": "checked"}, key=approver)
        assert (decided.status, decided.json["state"]) == (200, "posted")
        assert api.post(path, {"decision": "reject"}, key=approver).code == "adjustment_decided"
        assert api.get(f"/v1/ledger/adjustments/{asked.json['id']}", key=key).json == decided.json

        assert balance(api, key, earning) == ("12.00", "0.00")

    def test_nobody_approves_their_own(self, api, database, of_member):
        with database.write() as db:
            admin = make_user_key(db)[1]
        body = of_member(points="1", reference="a-1", reason_code="goodwill")
        asked = api.post("/v1/ledger/adjustments", body, key=admin).json
        answer = api.post(f"/v1/ledger/adjustments/{asked['id']}/approve", {"decision": "approve"}, key=admin)

        assert (answer.status, answer.code) == (403, "own_adjustment")

    def test_more_is_granted_by_the_partners_manager_and_not_by_the_retailers(
        self, api, database, key, approver, earning, of_member
    ):
        with database.write() as db:
            finance.with_terms(db, earning, increases={"request_max": "50"})
            manager = make_user_key(db, Role.APPROVER, partner_id=earning.partner.id)[1]
        asked = api.post("/v1/increase-requests", of_member(points="5", reference="m-1", reason="Torn."), key=key)
        assert asked.status == 201, asked.json
        path = f"/v1/increase-requests/{asked.json['id']}/approve"
        refused = api.post(path, {"decision": "approve"}, key=approver)
        assert (refused.status, refused.code) == (403, "not_a_manager")
        assert api.post(path, {"decision": "approve"}, key=manager).json["state"] == "approved"

        assert balance(api, key, earning) == ("20.00", "0.00")

    def test_a_reversal_says_what_became_of_the_points(self, api, key, earning, of_member):
        made = api.post("/v1/redemptions", of_member(reference="t-1", lines=[{"line": "1", "points": "4"}]), key=key)
        assert made.status == 201
        accrual = api.get("/v1/accruals", key=key).json["items"][0]["id"]
        taken = api.post(f"/v1/accruals/{accrual}/reverse", {"reason": "wrong hours"}, key=key)
        again = api.post(f"/v1/accruals/{accrual}/reverse", {"reason": "wrong hours"}, key=key)

        assert (taken.status, taken.json["recovered"], taken.json["overdrawn"]) == (201, "11.00", "4.00")
        assert (again.status, again.json["id"]) == (200, taken.json["id"])
        assert balance(api, key, earning) == ("-4.00", "0.00")


class TestExpiry:
    def test_is_told_first_and_then_posted_once(self, api, key, earning, edge_clock):
        edge_clock.now = datetime(2028, 11, 3, 18, tzinfo=UTC)
        told = api.post("/v1/expirations/run", {"dry_run": True}, key=key).json
        assert balance(api, key, earning) == ("0.00", "0.00")
        posted = api.post("/v1/expirations/run", {}, key=key).json
        nothing = api.post("/v1/expirations/run", {"business_date": "2028-11-03"}, key=key).json

        assert told["programs"] == posted["programs"]
        assert (posted["complete"], posted["programs"][0]["points"]) == (True, "15.00")
        assert nothing["programs"][0]["points"] == "0.00"

    @pytest.mark.usefixtures("earning")
    def test_is_told_by_last_day_and_program_in_pages(self, api, key, of_member, edge_clock):
        api.post("/v1/holds", of_member(points="4", reference="a", order_no="o-1"), key=key)
        edge_clock.now = datetime(2028, 11, 3, 18, tzinfo=UTC)
        [before] = api.get("/v1/expirations", key=key).json["items"]
        api.post("/v1/expirations/run", {}, key=key)
        [after] = api.get("/v1/expirations", key=key, params={"limit": 1}).json["items"]

        assert (before["last_day"], before["over"], before["members"]) == ("2028-11-02", True, 1)
        assert [(each["expired"], each["left"], each["held"]) for each in (before, after)] == [
            ("0.00", "15.00", "4.00"),
            ("11.00", "4.00", "4.00"),
        ]
        assert api.get("/v1/expirations", key=key, params={"since": "2028-11-03"}).json["items"] == []

    @pytest.mark.usefixtures("earning")
    def test_of_a_day_to_come_is_refused(self, api, key):
        answer = api.post("/v1/expirations/run", {"business_date": "2026-11-21"}, key=key)

        assert answer.code == "date_in_future"
