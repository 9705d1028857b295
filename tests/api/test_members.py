"""/v1/members as callers see them: roster rows by request, search, masking, enrolments."""

from datetime import date

import pytest

from chalicelib.access.scopes import PARTNER_SCOPES, Role, Scope
from chalicelib.storage.ids import public_id
from tests.factories.access import make_partner_key, make_user_key
from tests.factories.partners import apply_rows, make_member, make_members, make_partner, make_program, roster_row

HIRE = {
    "employee_id": "E7",
    "action": "A",
    "first_name": "Dolores",
    "last_name": "Haze",
    "email": "lo@example.com",
    "hire_date": "2024-10-01",
    "job_code": "CREW",
    "country": "US",
    "fte_pct": "62.50",
    "effective_date": "2026-01-01",
}


@pytest.fixture
def acme(database):
    with database.write() as db:
        return make_partner(db, "acme")


@pytest.fixture
def acme_key(database, acme) -> str:
    with database.write() as db:
        return make_partner_key(db, acme.id)[1]


@pytest.fixture
def operator(database) -> str:
    with database.write() as db:
        return make_user_key(db, Role.OPERATOR)[1]


@pytest.fixture
def viewer(database) -> str:
    """A key that reads members but nothing personal."""
    with database.write() as db:
        return make_user_key(db, Role.VIEWER)[1]


class TestUpsert:
    def test_hires_then_knows_then_changes(self, api, acme_key):
        hired = api.post("/v1/members", HIRE, key=acme_key)
        again = api.post("/v1/members", HIRE, key=acme_key)
        moved = {**HIRE, "action": "C", "job_code": "PURSER", "effective_date": "2026-06-01"}
        changed = api.post("/v1/members", moved, key=acme_key)

        assert (hired.status, hired.json["outcome"]) == (201, "accepted")
        assert (again.status, again.json["outcome"]) == (200, "duplicate")
        assert (changed.status, changed.json["job_code"]) == (200, "PURSER")
        assert changed.json["id"] == hired.json["id"]
        assert hired.json["fte_pct"] == "62.5"
        assert hired.json["personal"]["last_name"] == "Haze"

    def test_terminates(self, api, acme_key):
        api.post("/v1/members", HIRE, key=acme_key)
        gone = {**HIRE, "action": "T", "term_date": "2026-05-31", "effective_date": "2026-06-01"}
        answer = api.post("/v1/members", gone, key=acme_key)
        assert (answer.json["status"], answer.json["term_date"]) == ("terminated", "2026-05-31")

    @pytest.mark.usefixtures("acme")
    def test_by_an_operator_names_the_partner(self, api, operator):
        assert api.post("/v1/members", HIRE, key=operator).code == "partner_missing"
        assert api.post("/v1/members", {**HIRE, "partner_code": "acme"}, key=operator).status == 201

    def test_for_another_partner_is_refused_as_if_there_were_none(self, api, acme_key, database):
        with database.write() as db:
            make_partner(db, "bravo")
        assert api.post("/v1/members", {**HIRE, "partner_code": "bravo"}, key=acme_key).status == 404
        assert api.post("/v1/members", {**HIRE, "partner_code": "nobody"}, key=acme_key).status == 404

    @pytest.mark.parametrize(
        ("change", "pointer"),
        [
            ({"action": "X"}, "/action"),
            ({"employee_id": " E7"}, "/employee_id"),
            ({"country": "usa"}, "/country"),
            ({"hire_date": "10/1/2024"}, "/hire_date"),
            ({"fte_pct": 62.5}, "/fte_pct"),
            ({"term_date": "2020-01-01"}, "/term_date"),
            ({"shoe_size": 43}, "/shoe_size"),
            ({"last_name": None}, "/last_name"),
        ],
    )
    def test_with_a_fault_names_its_place_and_never_a_value(self, api, acme_key, change, pointer):
        answer = api.post("/v1/members", {**HIRE, **change}, key=acme_key)
        assert answer.status == 422
        assert [fault["pointer"] for fault in answer.json["faults"]] == [pointer]
        assert "Haze" not in answer.text
        assert "lo@" not in answer.text

    @pytest.mark.usefixtures("acme")
    def test_of_a_suspended_partner_is_refused(self, api, operator, database):
        with database.write() as db:
            admin = make_user_key(db)[1]
        api.post("/v1/partners/acme/status", {"status": "suspended", "reason": "Why"}, key=admin)
        answer = api.post("/v1/members", {**HIRE, "partner_code": "acme"}, key=operator)
        assert (answer.status, answer.code) == (422, "partner_not_active")


class TestSearch:
    def test_finds_by_name_and_mail_whatever_the_letter_case(self, api, acme, acme_key, database):
        with database.write() as db:
            make_member(db, acme, "E1", last_name="Haze", email="lo@example.com")
            make_member(db, acme, "E2", last_name="Humbert", email="hh@example.com")

        def found(**params):
            return [one["employee_id"] for one in api.get("/v1/members", key=acme_key, params=params).json["items"]]

        assert found(last_name="haze ") == ["E1"]
        assert found(email="HH@example.com") == ["E2"]
        assert found(employee_id="E2") == ["E2"]
        assert found(last_name="Haz") == []

    @pytest.mark.usefixtures("acme")
    def test_by_name_needs_the_right_to_see_names(self, api, viewer):
        answer = api.get("/v1/members", key=viewer, params={"last_name": "Haze"})
        assert (answer.status, answer.code) == (403, "scope_missing")

    def test_pages_through_a_partner_in_order(self, api, acme, acme_key, database):
        with database.write() as db:
            make_members(db, acme, 5)
        listed, cursor = [], None
        while True:
            page = api.get("/v1/members", key=acme_key, params={"limit": 2, "cursor": cursor}).json
            listed += [one["employee_id"] for one in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert listed == ["E0001", "E0002", "E0003", "E0004", "E0005"]

    def test_by_status_knows_what_has_taken_effect_since(self, api, acme, acme_key, database, edge_clock):
        with database.write() as db:
            make_members(db, acme, 4)
            last = date(2026, 11, 30)
            leaving = [roster_row(f"E000{n}", action="T", term_date=last, effective_date=last) for n in (1, 2, 3)]
            apply_rows(db, acme, leaving)

        def active():
            params = {"status": "active", "limit": 1}
            page = api.get("/v1/members", key=acme_key, params=params).json
            return [one["employee_id"] for one in page["items"]], page["next_cursor"] is not None

        assert active() == (["E0001"], True)
        edge_clock.now = edge_clock.now.replace(month=12, day=2)
        assert active() == (["E0004"], False)

    def test_shows_no_other_partners_members(self, api, acme_key, database):
        with database.write() as db:
            other = make_partner(db, "bravo")
            member = make_member(db, other)
        assert api.get("/v1/members", key=acme_key).json["items"] == []
        assert api.get("/v1/members", key=acme_key, params={"partner_id": "bravo"}).status == 404
        assert api.get(f"/v1/members/{public_id('mbr', member.id)}", key=acme_key).status == 404

    def test_refuses_a_cursor_of_another_filter(self, api, acme, acme_key, database):
        with database.write() as db:
            make_members(db, acme, 3)
        cursor = api.get("/v1/members", key=acme_key, params={"limit": 1}).json["next_cursor"]
        answer = api.get("/v1/members", key=acme_key, params={"limit": 1, "cursor": cursor, "status": "active"})
        assert (answer.status, answer.code) == (400, "cursor_foreign")


class TestMasking:
    def test_hides_what_is_personal_from_keys_without_the_right(self, api, acme, viewer, database):
        with database.write() as db:
            member = make_member(db, acme, last_name="Haze", phone=None)
            bare = make_partner_key(db, acme.id, scopes=PARTNER_SCOPES - {Scope.MEMBERS_PERSONAL})[1]
        for key in (viewer, bare):
            one = api.get(f"/v1/members/{public_id('mbr', member.id)}", key=key)
            listed = api.get("/v1/members", key=key)
            assert one.json["personal"]["last_name"] == "***"
            assert one.json["personal"]["phone"] is None
            assert "Haze" not in one.text + listed.text

    def test_shows_it_to_an_operator(self, api, acme, operator, database):
        with database.write() as db:
            member = make_member(db, acme, last_name="Haze")
        shown = api.get(f"/v1/members/{public_id('mbr', member.id)}", key=operator)
        assert shown.json["personal"]["last_name"] == "Haze"


class TestEnrolments:
    def test_are_put_shown_and_put_again_without_effect(self, api, acme, acme_key, database):
        with database.write() as db:
            program = make_program(db, acme, enrolment=None)
            member = make_member(db, acme)
        path = f"/v1/members/{public_id('mbr', member.id)}/enrollments/{public_id('prg', program.id)}"
        put = api.request("PUT", path, key=acme_key, body={"valid_from": "2026-03-01", "tier": "gold"})
        again = api.request("PUT", path, key=acme_key, body={"valid_from": "2026-03-01", "tier": "gold"})
        shown = api.get(f"/v1/members/{public_id('mbr', member.id)}", key=acme_key)

        assert put.status == 200
        assert put.json == again.json
        assert shown.json["enrolments"] == [put.json]
        assert (put.json["program_code"], put.json["source"], put.json["valid_to"]) == ("uniform", "api", None)

    def test_in_another_partners_program_are_refused(self, api, acme, acme_key, database):
        with database.write() as db:
            member = make_member(db, acme)
            foreign = make_program(db, make_partner(db, "bravo"))
        path = f"/v1/members/{public_id('mbr', member.id)}/enrollments/{public_id('prg', foreign.id)}"
        assert api.request("PUT", path, key=acme_key, body={"valid_from": "2026-03-01"}).status == 404
