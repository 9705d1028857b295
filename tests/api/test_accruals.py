"""/v1/accruals as callers see them: one event, batches, lists, previews."""

from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy import func, select

from chalicelib.access.scopes import Role
from chalicelib.partners.provenance import RowSource
from chalicelib.points.models.ledger import accrual_event
from chalicelib.storage.ids import new_id, public_id
from tests.factories import partners, points, rules
from tests.factories.access import make_partner_key, make_user_key

EVENT = {
    "program_code": "uniform",
    "event_id": "2026-11-02/E1",
    "employee_id": "E1",
    "event_type": "HOURS",
    "event_date": "2026-11-02",
    "quantity": "8.50",
    "unit": "HOUR",
}


@pytest.fixture
def earning(database, data_key):
    with database.write() as db:
        return points.make_earning(db)


@pytest.fixture
def key(database, earning) -> str:
    with database.write() as db:
        return make_partner_key(db, earning.partner.id)[1]


@pytest.fixture
def operator(database) -> str:
    with database.write() as db:
        return make_user_key(db, Role.ADMIN)[1]


@pytest.fixture
def stranger(database, data_key):
    """Another partner's earning and key."""
    with database.write() as db:
        other = points.make_earning(db)
        return other, make_partner_key(db, other.partner.id)[1]


class TestRecord:
    def test_posts_once_and_answers_the_original_when_sent_again(self, api, key, earning):
        first = api.post("/v1/accruals", EVENT, key=key)
        again = api.post("/v1/accruals", EVENT, key=key)

        assert (first.status, again.status) == (201, 200)
        assert first.json == again.json
        assert first.json["points"] == "12.75"
        assert first.json["outcome"] == "posted"
        assert first.json["member_id"] == public_id("mbr", earning.member.id)
        assert first.json["ruleset_version"] == public_id("rsv", earning.version.version_id)

    def test_refuses_other_content_under_the_same_id(self, api, key):
        api.post("/v1/accruals", EVENT, key=key)
        changed = api.post("/v1/accruals", {**EVENT, "quantity": "9"}, key=key)

        assert (changed.status, changed.code) == (409, "other_content")

    @pytest.mark.parametrize(
        ("unit", "status"), [("POINT", 201), ("MXN", 201), ("eur", 422), ("EURO", 422), ("HOURS", 422), ("", 422)]
    )
    def test_counts_in_hours_points_or_any_currency(self, api, key, unit, status):
        answer = api.post("/v1/accruals", {**EVENT, "unit": unit}, key=key)

        assert answer.status == status
        if status == 422:
            assert [fault["pointer"] for fault in answer.json["faults"]] == ["/unit"]

    def test_keeps_what_kind_of_event_it_was(self, api, key):
        recorded = api.post("/v1/accruals", {**EVENT, "category": "OWN-BRAND"}, key=key)
        other = api.post("/v1/accruals", {**EVENT, "category": "FRESH"}, key=key)

        shown = api.get(f"/v1/accruals/{recorded.json['id']}", key=key)
        assert shown.json["facts"]["event"]["category"] == "OWN-BRAND"
        assert (other.status, other.code) == (409, "other_content")

    def test_stores_what_earns_nothing_and_says_so(self, api, key):
        nothing = api.post("/v1/accruals", {**EVENT, "quantity": "0"}, key=key)

        assert (nothing.status, nothing.json["outcome"], nothing.json["points"]) == (201, "no_points", "0.00")

    @pytest.mark.parametrize(
        ("change", "code", "pointer"),
        [
            ({"employee_id": "E9"}, "unknown_member", "/employee_id"),
            ({"program_code": "shoes"}, "unknown_program", "/program_code"),
            ({"event_date": "2025-12-31"}, "before_program", "/event_date"),
            ({"event_date": "2026-11-22"}, "event_in_future", "/event_date"),
            ({"quantity": "-1"}, "original_not_named", "/reference"),
        ],
    )
    def test_refuses_by_name_and_leaves_nothing_behind(self, api, database, key, change, code, pointer):
        refused = api.post("/v1/accruals", EVENT | change, key=key)

        assert (refused.status, refused.code) == (422, code)
        assert refused.json["faults"][0]["pointer"] == pointer
        with database.read() as db:
            assert db.execute(select(func.count()).select_from(accrual_event)).scalar_one() == 0

    @pytest.mark.parametrize(
        ("change", "code"),
        [
            ({"quantity": 8.5}, "body_invalid"),
            ({"quantity": "8.1234567"}, "body_invalid"),
            ({"event_date": "2026-02-30"}, "body_invalid"),
            ({"event_type": "GIFT"}, "body_invalid"),
            ({"event_id": ""}, "body_invalid"),
            ({"colour": "red"}, "body_invalid"),
        ],
    )
    def test_refuses_what_is_malformed(self, api, key, change, code):
        refused = api.post("/v1/accruals", EVENT | change, key=key)

        assert (refused.status, refused.code) == (422, code)

    def test_takes_the_partner_from_the_body_for_a_key_without_one(self, api, operator, earning):
        unnamed = api.post("/v1/accruals", EVENT, key=operator)
        named = api.post("/v1/accruals", {**EVENT, "partner_code": earning.partner.code}, key=operator)
        unknown = api.post("/v1/accruals", {**EVENT, "partner_code": "nobody"}, key=operator)

        assert (unnamed.status, unnamed.code) == (422, "partner_code_missing")
        assert named.status == 201
        assert unknown.status == 404

    def test_hides_another_partner_named_in_the_body(self, api, key, stranger):
        other, _ = stranger
        assert api.post("/v1/accruals", {**EVENT, "partner_code": other.partner.code}, key=key).status == 404

    def test_takes_its_own_partner_named_in_the_body(self, api, key, earning):
        assert api.post("/v1/accruals", {**EVENT, "partner_code": earning.partner.code}, key=key).status == 201


class TestBatch:
    def test_gives_each_event_its_own_outcome_in_order(self, api, key):
        api.post("/v1/accruals", EVENT, key=key)
        events = [EVENT, {**EVENT, "event_id": "2"}, {**EVENT, "event_id": "3", "employee_id": "E9"}]
        answered = api.post("/v1/accruals/batch", {"events": events}, key=key)

        assert answered.status == 200
        assert [each["outcome"] for each in answered.json["outcomes"]] == ["duplicate", "posted", "rejected"]
        assert [each["points"] for each in answered.json["outcomes"]] == ["12.75", "12.75", None]
        refused = answered.json["outcomes"][2]
        assert (refused["code"], refused["field"], refused["fixable"]) == ("unknown_member", "employee_id", True)
        counts = {name: answered.json[name] for name in ("posted", "no_points", "duplicate", "rejected")}
        assert counts == {"posted": 1, "no_points": 0, "duplicate": 1, "rejected": 1}

    def test_refuses_the_event_of_a_day_that_is_still_to_come(self, api, key):
        events = [EVENT, {**EVENT, "event_id": "2", "event_date": "2026-12-24"}]
        answered = api.post("/v1/accruals/batch", {"events": events}, key=key)

        refused = answered.json["outcomes"][1]
        assert (refused["outcome"], refused["code"], refused["field"]) == ("rejected", "event_in_future", "event_date")
        assert answered.json["outcomes"][0]["outcome"] == "posted"

    def test_rejects_a_malformed_event_and_posts_the_others(self, api, key):
        wrong = {**EVENT, "event_id": "2", "quantity": "much", "event_date": "2026-02-30"}
        answered = api.post("/v1/accruals/batch", {"events": [wrong, EVENT, "no event"]}, key=key)

        assert answered.status == 200
        first, second, third = answered.json["outcomes"]
        assert (first["outcome"], first["event_id"], first["field"]) == ("rejected", "2", "event_date")
        assert "event_date: " in first["message"]
        assert "quantity: " in first["message"]
        assert (second["outcome"], second["points"]) == ("posted", "12.75")
        assert (third["outcome"], third["event_id"], third["field"]) == ("rejected", "", None)

    @pytest.mark.parametrize(("how_many", "status"), [(0, 422), (500, 200), (501, 422)])
    def test_takes_one_to_five_hundred_events(self, api, key, how_many, status):
        events = [{**EVENT, "event_id": str(number)} for number in range(how_many)]

        assert api.post("/v1/accruals/batch", {"events": events}, key=key).status == status


class TestPreview:
    def test_decides_and_writes_nothing(self, api, database, key, earning):
        preview = api.post("/v1/accruals/preview", EVENT, key=key)

        assert preview.status == 200
        assert (preview.json["outcome"], preview.json["points"]) == ("posted", "12.75")
        assert preview.json["rule"]["ruleset"] == f"{earning.partner.code}.accrual"
        assert preview.json["facts"]["inputs"]["quantity"] == "8.50"
        assert preview.json["trace"]["outputs"] == {"points": "12.75"}
        with database.read() as db:
            assert db.execute(select(func.count()).select_from(accrual_event)).scalar_one() == 0

    def test_shows_why_an_event_would_be_refused(self, api, key):
        refused = api.post("/v1/accruals/preview", {**EVENT, "employee_id": "E9"}, key=key)

        assert refused.status == 200
        assert (refused.json["outcome"], refused.json["code"]) == ("rejected", "unknown_member")
        assert refused.json["points"] is None

    def test_shows_that_a_day_is_still_to_come(self, api, key):
        refused = api.post("/v1/accruals/preview", {**EVENT, "event_date": "2026-12-24"}, key=key)

        assert (refused.json["outcome"], refused.json["code"]) == ("rejected", "event_in_future")

    def test_asks_the_version_that_is_named(self, api, database, key, earning):
        with database.write() as db:
            document = rules.accrual_document(f"{earning.partner.code}.accrual", rate="3")
            draft = rules.live_ruleset(db, earning.partner.id, document, effective_from=date(2027, 1, 1))
        named = {**EVENT, "ruleset_version": public_id("rsv", draft.version_id)}

        assert api.post("/v1/accruals/preview", named, key=key).json["points"] == "25.50"

    def test_hides_another_partners_version(self, api, key, stranger):
        other, _ = stranger
        named = {**EVENT, "ruleset_version": public_id("rsv", other.version.version_id)}

        assert api.post("/v1/accruals/preview", named, key=key).status == 404

    def test_refuses_a_version_of_another_ruleset(self, api, database, key, earning):
        with database.write() as db:
            other = rules.live_ruleset(db, earning.partner.id, rules.accrual_document(f"{earning.partner.code}.other"))
        named = {**EVENT, "ruleset_version": public_id("rsv", other.version_id)}
        refused = api.post("/v1/accruals/preview", named, key=key)

        assert (refused.status, refused.code) == (422, "version_of_other_ruleset")


class TestList:
    @pytest.fixture
    def recorded(self, database, earning):
        """Three events: two by file, one of them earning nothing; one by API for another member."""
        self.file_id = new_id()
        with database.write() as db:
            partners.make_member(db, earning.partner, "E2")
            points.record(
                db,
                earning.partner,
                [points.event(event_id="a"), points.event(event_id="b", quantity=Decimal(0))],
                sources=[RowSource(self.file_id, row, 0, 1) for row in (1, 2)],
            )
            points.record(db, earning.partner, [points.event(event_id="c", employee_id="E2")])
        return earning

    def ids(self, answered):
        assert answered.status == 200, answered.text
        return [item["event_id"] for item in answered.json["items"]]

    def test_shows_the_newest_first(self, api, key, recorded):
        assert recorded
        assert self.ids(api.get("/v1/accruals", key=key)) == ["c", "b", "a"]

    def test_filters_add_up(self, api, key, recorded):
        member = public_id("mbr", recorded.member.id)
        file = public_id("fil", self.file_id)
        version = public_id("rsv", recorded.version.version_id)
        program = public_id("prg", recorded.program.id)

        for params, expected in (
            ({"member_id": member}, ["b", "a"]),
            ({"file_id": file, "outcome": "posted"}, ["a"]),
            ({"outcome": "no_points"}, ["b"]),
            ({"ruleset_version": version, "program_id": program}, ["c", "b", "a"]),
            ({"partner_id": public_id("par", recorded.partner.id), "member_id": member}, ["b", "a"]),
        ):
            assert self.ids(api.get("/v1/accruals", key=key, params=params)) == expected, params

    def test_goes_on_where_a_page_ended(self, api, key, recorded):
        assert recorded
        first = api.get("/v1/accruals", key=key, params={"limit": 2})
        rest = api.get("/v1/accruals", key=key, params={"limit": 2, "cursor": first.json["next_cursor"]})

        assert (self.ids(first), self.ids(rest)) == (["c", "b"], ["a"])
        assert rest.json["next_cursor"] is None

    def test_shows_nothing_of_other_partners(self, api, stranger, recorded):
        _, other_key = stranger
        assert recorded
        assert self.ids(api.get("/v1/accruals", key=other_key)) == []

    def test_hides_what_filters_name_of_other_partners(self, api, stranger, recorded):
        _, other_key = stranger
        for params in (
            {"partner_id": public_id("par", recorded.partner.id)},
            {"member_id": public_id("mbr", recorded.member.id)},
            {"program_id": public_id("prg", recorded.program.id)},
            {"file_id": public_id("fil", self.file_id)},
            {"ruleset_version": public_id("rsv", recorded.version.version_id)},
        ):
            assert api.get("/v1/accruals", key=other_key, params=params).status == 404, params


class TestGet:
    def test_shows_facts_trace_and_entries(self, api, key):
        made = api.post("/v1/accruals", EVENT, key=key).json
        shown = api.get(f"/v1/accruals/{made['id']}", key=key)

        assert shown.status == 200
        assert shown.json["facts"]["inputs"] == {"status": "active", "quantity": "8.50"}
        assert shown.json["trace"]["applies"] is True
        [entry] = shown.json["entries"]
        assert entry.startswith("trf_")
        assert {name: shown.json[name] for name in made} == made
        assert (shown.json["file_id"], shown.json["row_no"]) == (None, None)

    def test_hides_another_partners_event(self, api, key, stranger):
        made = api.post("/v1/accruals", EVENT, key=key).json
        _, other_key = stranger

        assert api.get(f"/v1/accruals/{made['id']}", key=other_key).status == 404
        assert api.get("/v1/accruals/acr_0000000000000000000000000a", key=key).status == 404
