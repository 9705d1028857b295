"""Holds, redemptions, refunds, corrections and expiry as callers see them."""

from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.access.scopes import Role
from chalicelib.storage.ids import public_id
from tests.factories import points
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
        assert api.post("/v1/holds", of_member(points="15.01", reference="a"), key=key).code == "insufficient_points"
        assert api.post("/v1/holds", of_member(points="0.001", reference="a"), key=key).code == "excess_digits"
        assert api.post("/v1/holds", of_member(points="0", reference="a"), key=key).code == "amount_out_of_range"
        assert api.post("/v1/holds", of_member(points="1", reference="a"), key=key).status == 201
        assert api.post("/v1/holds", of_member(points="2", reference="a"), key=key).code == "other_content"
        nobody = of_member(points="1", reference="b") | {"employee_id": "E9"}
        assert api.post("/v1/holds", nobody, key=key).code == "unknown_member"

    def test_whose_time_is_over_are_not_captured(self, api, key, of_member, edge_clock):
        placed = api.post("/v1/holds", of_member(points="1", reference="a", ttl_s=60), key=key).json
        edge_clock.now += timedelta(seconds=60)
        answer = api.post(f"/v1/holds/{placed['id']}/capture", {"reference": "s"}, key=key)

        assert (answer.status, answer.code) == (409, "hold_ended")

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

        assert [each["points"] for each in lineage["taken"]] == ["-1.00"]


class TestCorrections:
    def test_adjustments_wait_for_another_person(self, api, key, approver, earning, of_member):
        body = of_member(points="-3", reference="a-1", reason_code="correction")
        asked = api.post("/v1/ledger/adjustments", body, key=key)
        assert (asked.status, asked.json["state"]) == (201, "pending")
        path = f"/v1/ledger/adjustments/{asked.json['id']}/approve"
        assert api.post(path, {"decision": "approve"}, key=key).code == "scope_missing"
        decided = api.post(path, {"decision": "approve", "comment": "checked"}, key=approver)
        assert (decided.status, decided.json["state"]) == (200, "posted")
        assert api.post(path, {"decision": "reject"}, key=approver).code == "adjustment_decided"

        assert balance(api, key, earning) == ("12.00", "0.00")

    def test_nobody_approves_their_own(self, api, database, of_member):
        with database.write() as db:
            admin = make_user_key(db)[1]
        body = of_member(points="1", reference="a-1", reason_code="goodwill")
        asked = api.post("/v1/ledger/adjustments", body, key=admin).json
        answer = api.post(f"/v1/ledger/adjustments/{asked['id']}/approve", {"decision": "approve"}, key=admin)

        assert (answer.status, answer.code) == (403, "own_adjustment")

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
    def test_of_a_day_to_come_is_refused(self, api, key):
        answer = api.post("/v1/expirations/run", {"business_date": "2026-11-21"}, key=key)

        assert answer.code == "date_in_future"
