"""Code tables as callers see them: lists, dated entries, one entry at a time, and the codes that files brought."""

from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import quote

import pytest
from sqlalchemy import select

from chalicelib.access.models import audit_event
from chalicelib.access.scopes import Role
from chalicelib.points.earning import lineage
from chalicelib.points.ledger import history
from chalicelib.settings import settings
from tests.factories.access import make_user_key
from tests.factories.files import hours, hours_layout, make_hub
from tests.factories.partners import make_partner
from tests.factories.points import earn, make_earning
from tests.factories.rules import accrual_document, code_table, live_ruleset, table_document

TABLE = "/v1/code-tables/acme.grade"
HOUR = timedelta(hours=1)


@pytest.fixture
def acme(database):
    """A partner with a table of two grades, beside a shared table and another partner's."""
    with database.write() as db:
        partner, other = make_partner(db, "acme"), make_partner(db, "globex")
        code_table(db, partner.id, table_document("acme.grade"))
        code_table(db, other.id, table_document("globex.grade"))
        code_table(db, None, table_document("shared", partner=None))
    return partner


@pytest.fixture
def admin(database) -> str:
    """A key of an administrator of the hub."""
    with database.write() as db:
        return make_user_key(db)[1]


@pytest.fixture
def own_admin(database, acme) -> str:
    """A key of an administrator who is bound to acme."""
    with database.write() as db:
        return make_user_key(db, Role.ADMIN, partner_id=acme.id)[1]


def entries(api, key, **params) -> list[tuple[str, str, str | None, str | None]]:
    answer = api.get(TABLE, key=key, params=params)
    assert answer.status == 200, answer.text
    return [
        (each["code"], each["value"], each["effective_from"], each["effective_to"]) for each in answer.json["items"]
    ]


@pytest.mark.usefixtures("acme")
class TestTables:
    def test_are_listed_page_by_page(self, api, admin):
        first = api.get("/v1/code-tables", key=admin, params={"limit": 2}).json
        second = api.get("/v1/code-tables", key=admin, params={"limit": 2, "cursor": first["next_cursor"]}).json

        listed = [(each["code"], each["entries"]) for each in first["items"] + second["items"]]
        assert listed == [("acme.grade", 2), ("globex.grade", 2), ("shared", 2)]
        assert second["next_cursor"] is None

    def test_of_others_are_not_listed(self, api, own_admin):
        listed = api.get("/v1/code-tables", key=own_admin).json["items"]

        assert [each["code"] for each in listed] == ["acme.grade", "shared"]
        assert [each["partner_id"] is None for each in listed] == [False, True]

    def test_of_others_are_not_there(self, api, own_admin):
        for path in ("/v1/code-tables/globex.grade", "/v1/code-tables/globex.grade/unmapped"):
            assert api.get(path, key=own_admin).status == 404


@pytest.mark.usefixtures("acme")
class TestEntries:
    def test_are_listed_by_code_and_day(self, api, admin):
        api.put(f"{TABLE}/entries/G1", {"value": "11", "effective_from": "2026-07-01", "ends_earlier": True}, key=admin)

        assert entries(api, admin) == [
            ("G1", "10", None, "2026-06-30"),
            ("G1", "11", "2026-07-01", None),
            ("G2", "20", None, None),
        ]
        assert entries(api, admin, on="2026-06-30") == [("G1", "10", None, "2026-06-30"), ("G2", "20", None, None)]
        assert entries(api, admin, code="G1", on="2026-07-01") == [("G1", "11", "2026-07-01", None)]

    def test_page_after_page_none_is_left_out(self, api, admin):
        for month in range(1, 6):
            body = {"value": str(month), "effective_from": f"2026-{month:02}-01", "ends_earlier": True}
            api.put(f"{TABLE}/entries/G1", body, key=admin)
        whole, found, cursor = entries(api, admin), [], None
        while True:
            page = api.get(TABLE, key=admin, params={"limit": 2, "cursor": cursor}).json
            found += [(each["code"], each["value"]) for each in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break

        assert found == [each[:2] for each in whole]
        assert len(found) == 7

    def test_are_shown_as_they_were_known(self, api, admin, now, edge_clock):
        edge_clock.now = now + HOUR
        api.put(f"{TABLE}/entries/G1", {"value": "11"}, key=admin)

        assert entries(api, admin, code="G1") == [("G1", "11", None, None)]
        assert entries(api, admin, code="G1", known_at=now.isoformat()) == [("G1", "10", None, None)]
        assert entries(api, admin, code="G1", known_at=(now + HOUR).isoformat()) == [("G1", "11", None, None)]


class TestPut:
    def test_is_201_once_and_200_again(self, api, own_admin):
        body = {"value": "30", "description": "Grade three", "effective_from": "2026-01-01"}

        first = api.put(f"{TABLE}/entries/G3", body, key=own_admin)
        again = api.put(f"{TABLE}/entries/G3", body, key=own_admin)

        assert (first.status, first.json["changed"]) == (201, True)
        assert (again.status, again.json["changed"]) == (200, False)
        assert first.json["entries"] == again.json["entries"] == [body | {"code": "G3", "effective_to": None}]

    @pytest.mark.usefixtures("acme")
    @pytest.mark.parametrize("code", ["Leave of Absence", "A/B", "50 %", "Ü"])
    def test_takes_any_code(self, api, admin, code):
        answer = api.put(f"{TABLE}/entries/{quote(code, safe='')}", {"value": "1"}, key=admin)

        assert (answer.status, answer.json["code"]) == (201, code)

    @pytest.mark.usefixtures("acme")
    def test_an_overlap_is_refused_and_says_how_to_mend_it(self, api, admin):
        body = {"value": "11", "effective_from": "2026-07-01", "effective_to": "2026-07-31"}

        refused = api.put(f"{TABLE}/entries/G1", body, key=admin)

        assert (refused.status, refused.code) == (409, "entry_overlaps")
        assert "`ends_earlier`" in refused.json["detail"]
        assert api.put(f"{TABLE}/entries/G1", body | {"splits_earlier": True}, key=admin).status == 201
        assert entries(api, admin, code="G1") == [
            ("G1", "10", None, "2026-06-30"),
            ("G1", "11", "2026-07-01", "2026-07-31"),
            ("G1", "10", "2026-08-01", None),
        ]

    @pytest.mark.usefixtures("acme")
    def test_ends_an_entry(self, api, admin):
        ended = api.put(
            f"{TABLE}/entries/G1", {"value": "10", "effective_from": "2026-07-01", "active": False}, key=admin
        )

        assert ended.status == 200
        assert entries(api, admin, code="G1") == [("G1", "10", None, "2026-06-30")]

    @pytest.mark.usefixtures("acme")
    @pytest.mark.parametrize(
        ("body", "code"),
        [
            ({"value": "1", "effective_from": "1899-12-31"}, "begins_too_early"),
            ({"value": "1", "effective_from": "2026-02-01", "effective_to": "2026-01-31"}, "ends_before_it_starts"),
            ({"value": ""}, "body_invalid"),
        ],
    )
    def test_refuses_what_no_table_could_say(self, api, admin, body, code):
        refused = api.put(f"{TABLE}/entries/G9", body, key=admin)

        assert (refused.status, refused.code) == (422, code)

    @pytest.mark.usefixtures("acme")
    def test_a_code_has_a_bound(self, api, admin):
        refused = api.put(f"{TABLE}/entries/{'G' * 101}", {"value": "1"}, key=admin)

        assert refused.code == "code_length"
        assert refused.json["detail"] == "A code has 1 to 100 characters, this one 101."

    def test_a_value_is_what_the_table_declares(self, api, database, acme, admin):
        declared = {"type": "decimal", "scale": 4, "min": "0.5", "max": "2"}
        rates = table_document("acme.rate", {"USD": "0.8547"}, value=declared)
        with database.write() as db:
            code_table(db, acme.id, rates)

        refused = api.put("/v1/code-tables/acme.rate/entries/CHF", {"value": "8.621"}, key=admin)

        assert (refused.status, refused.code) == (422, "bad_value")
        assert refused.json["detail"] == 'The table declares its values: expected at most 2, found "8.621".'
        assert api.put("/v1/code-tables/acme.rate/entries/CHF", {"value": "0.8621"}, key=admin).status == 201
        listed = {each["code"]: each["value"] for each in api.get("/v1/code-tables", key=admin).json["items"]}
        assert (listed["acme.rate"], listed["acme.grade"]) == (declared, None)

    def test_a_bound_user_changes_own_tables_only(self, api, own_admin):
        own = api.put(f"{TABLE}/entries/G9", {"value": "1"}, key=own_admin)
        shared = api.put("/v1/code-tables/shared/entries/G9", {"value": "1"}, key=own_admin)
        theirs = api.put("/v1/code-tables/globex.grade/entries/G9", {"value": "1"}, key=own_admin)

        assert (own.status, shared.status, shared.code, theirs.status) == (201, 403, "shared_ruleset", 404)

    @pytest.mark.usefixtures("acme")
    def test_the_trail_says_who_and_why(self, api, database, admin):
        api.put(f"{TABLE}/entries/G1", {"value": "11", "reason": "Union agreement 2026"}, key=admin)

        with database.read() as db:
            found = db.execute(select(audit_event).where(audit_event.c.action == "code_table.entry_set")).one()
        assert (found.subject, found.reason) == ("acme.grade", "Union agreement 2026")
        assert found.actor.startswith("usr_")
        assert ('"value":"10"' in found.before, '"value":"11"' in found.after) == (True, True)


def graded_rule(code: str) -> dict:
    """Points for an hour by unit, from a code table."""
    rule = accrual_document(code)
    rate = {"parse_decimal": [{"lookup": ["shared", {"var": "unit"}]}]}
    rule["inputs"]["unit"] = {"type": "string"}
    rule["outputs"]["points"]["expr"] = {"*": [{"var": "quantity"}, rate]}
    for case in rule["cases"]:
        case["given"]["unit"] = "HOUR"
        case["code_tables"] = {"shared": {"HOUR": "1.5"}}
    return rule


@pytest.mark.usefixtures("data_key")
class TestWhatFollows:
    @pytest.fixture
    def earning(self, database):
        """A partner whose rule looks an hour's points up."""
        with database.write() as db:
            code_table(db, None, table_document("shared", {"HOUR": "1.5"}, partner=None))
            return make_earning(db, document=graded_rule("acme.accrual"))

    def test_what_is_decided_stays_and_recomputes_the_same(self, api, database, earning, admin, now, edge_clock):
        with database.write() as db:
            before = earn(db, earning, event_id="before")
        edge_clock.now = now + HOUR
        api.put("/v1/code-tables/shared/entries/HOUR", {"value": "3"}, key=admin)
        with database.write() as db:
            after = earn(db, earning, event_id="after")
        with database.read() as db:
            old, new = (self.decided(db, each.id) for each in (before, after))

        assert 2 * before.points_minor == after.points_minor > 0
        assert (old.recomputed_minor, old.agrees) == (before.points_minor, True)
        assert (new.recomputed_minor, new.agrees) == (after.points_minor, True)

    def decided(self, db, accrual_id):
        return lineage.decided_by(db, history.event(db, accrual_id), recompute=True)

    @pytest.fixture
    def approval_required(self, earning, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        """A hub that asks for a second person, once the first version decides."""
        assert earning.version.number == 1
        monkeypatch.setenv("INTERLINE_RULE_APPROVAL", "required")
        settings.cache_clear()
        yield
        monkeypatch.undo()
        settings.cache_clear()

    @pytest.mark.usefixtures("approval_required")
    def test_one_person_alone_does_not_change_what_points_are_decided_by(self, api, database, earning, admin):
        path = "/v1/code-tables/shared/entries/HOUR"
        with database.write() as db:
            code_table(db, None, table_document("free", partner=None))

        refused = api.put(path, {"value": "30"}, key=admin)

        assert (refused.status, refused.code) == (403, "approval_required")
        assert refused.json["detail"].startswith(f"shared decides points of {earning.version.ruleset_code}: ")
        assert "`hub rules plan --out`, `hub rules approve`, `hub rules apply`" in refused.json["detail"]
        assert api.get("/v1/code-tables/shared", key=admin).json["items"][0]["value"] == "1.5"
        assert api.put(path, {"value": "1.5"}, key=admin).json["changed"] is False
        assert api.put("/v1/code-tables/free/entries/G1", {"value": "30"}, key=admin).status == 200

    @pytest.mark.usefixtures("approval_required")
    def test_an_approval_that_saw_the_table_is_void(self, api, database, earning, admin):
        with database.write() as db:
            second = make_user_key(db, Role.APPROVER)[1]
        path = f"/v1/rulesets/{earning.version.ruleset_code}/versions"
        document = graded_rule(earning.version.ruleset_code) | {"why": "Another word."}
        version = f"{path}/{api.post(path, {'document': document}, key=admin).json['version']}"
        approved = api.post(f"{version}/approve", {}, key=second)
        assert (approved.status, approved.json["valid"]) == (200, True)

        with database.write() as db:
            code_table(db, None, table_document("shared", {"HOUR": "1.5", "OTHER": "3"}, partner=None))
        promoted = api.post(f"{version}/promote", {"effective_from": "2027-01-01"}, key=admin)

        assert (promoted.status, promoted.code) == (403, "approval_void")
        assert [fault["pointer"] for fault in promoted.json["faults"]] == ["/approval/code_tables"]


class TestUnmapped:
    def test_is_empty_where_no_file_brought_a_code_in_vain(self, api, own_admin):
        answer = api.get(f"{TABLE}/unmapped", key=own_admin)

        assert (answer.status, answer.json) == (200, {"items": [], "next_cursor": None})

    @pytest.mark.usefixtures("aws")
    def test_shows_codes_with_counts_and_an_example(self, api, database, admin):
        hub = make_hub(database)
        with database.write() as db:
            code_table(db, hub.partner.id, table_document("acme.grade"))
            live_ruleset(db, hub.partner.id, grade_layout())
        file = hub.process("hours", hours("a,E1,2026-11-02,8", "b,E2,2026-11-02,8"))

        [found] = api.get(f"{TABLE}/unmapped", key=admin).json["items"]

        assert (found["code"], found["rows"]) == ("8", 2)
        assert found["treated"] == {"refused": 2, "default": 0, "null": 0}
        place = {"file_id": file.public_id, "file_name": "file.csv", "row_no": 1}
        assert found["example"] == {**place, "accrual_id": None}
        api.put(f"{TABLE}/entries/8", {"value": "x"}, key=admin)
        assert api.get(f"{TABLE}/unmapped", key=admin).json["items"] == []


def grade_layout() -> dict:
    """Hours whose quantity must be a grade."""
    layout = hours_layout()
    layout["fields"] = layout["fields"] | {"reference": {"expr": {"lookup": ["acme.grade", {"var": "hours"}]}}}
    return layout
