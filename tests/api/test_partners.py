"""/v1/partners and /v1/programs as callers see them."""

import pytest
from sqlalchemy import func, select

from chalicelib.access.models import audit_event
from chalicelib.access.scopes import Role
from chalicelib.partners import directory
from chalicelib.partners.models.partners import partner as partner_table
from chalicelib.rules import canonical
from chalicelib.storage.ids import public_id
from tests.factories.access import make_partner_key, make_user_key
from tests.factories.partners import make_member, make_partner, make_program, program_spec
from tests.factories.rules import accrual_document, live_ruleset


@pytest.fixture
def admin(database) -> str:
    with database.write() as db:
        return make_user_key(db)[1]


@pytest.fixture
def acme(database):
    with database.write() as db:
        partner = make_partner(db, "acme", industry="police", contacts=[{"role": "files", "email": "hr@acme.example"}])
        live_ruleset(db, partner.id, accrual_document("acme.accrual"))
        return partner


@pytest.fixture
def acme_key(database, acme) -> str:
    with database.write() as db:
        return make_partner_key(db, acme.id)[1]


def bundle(**changes):
    manifest = {
        "code": "bravo",
        "name": "Bravo",
        "time_zone": "America/Chicago",
        "programs": [program_spec(ruleset="bravo.accrual")],
    }
    return {"manifest": manifest | changes, "rulesets": [accrual_document("bravo.accrual", rate="2.50")]}


class TestListPartners:
    @pytest.mark.usefixtures("acme")
    def test_pages_by_code_and_filters(self, api, admin, database):
        with database.write() as db:
            make_partner(db, "zulu")
            make_partner(db, "bravo", industry="police")
        first = api.get("/v1/partners", key=admin, params={"limit": 2})
        rest = api.get("/v1/partners", key=admin, params={"limit": 2, "cursor": first.json["next_cursor"]})
        police = api.get("/v1/partners", key=admin, params={"industry": "police"})

        assert [one["code"] for one in first.json["items"] + rest.json["items"]] == ["acme", "bravo", "zulu"]
        assert rest.json["next_cursor"] is None
        assert [one["code"] for one in police.json["items"]] == ["acme", "bravo"]

    def test_shows_a_partner_itself_only(self, api, acme_key, database):
        with database.write() as db:
            other = make_partner(db, "bravo")
        listed = api.get("/v1/partners", key=acme_key)
        assert [one["code"] for one in listed.json["items"]] == ["acme"]
        assert api.get(f"/v1/partners/{public_id('par', other.id)}", key=acme_key).status == 404
        assert api.get("/v1/partners/bravo", key=acme_key).status == 404


class TestGetPartner:
    def test_shows_contacts_programs_and_targets_by_id_or_code(self, api, admin, acme, database):
        with database.write() as db:
            program = make_program(db, acme)
        by_id = api.get(f"/v1/partners/{public_id('par', acme.id)}", key=admin)
        assert by_id.status == 200
        assert by_id.json == api.get("/v1/partners/acme", key=admin).json
        assert by_id.json["contacts"] == [{"role": "files", "name": None, "email": "hr@acme.example", "phone": None}]
        assert [one["id"] for one in by_id.json["programs"]] == [public_id("prg", program.id)]
        assert by_id.json["targets"] == []


class TestChangeStatus:
    def test_suspends_with_a_reason_and_refuses_the_partners_keys(self, api, admin, acme, acme_key, database):
        assert api.get("/v1/partners", key=acme_key).status == 200
        answer = api.post("/v1/partners/acme/status", {"status": "suspended", "reason": "Unpaid"}, key=admin)
        with database.write() as db:
            suspended_key = make_partner_key(db, acme.id)[1]

        assert (answer.status, answer.json["status"], answer.json["status_reason"]) == (200, "suspended", "Unpaid")
        assert answer.json["status_from"] == "2026-11-20"
        assert api.get("/v1/partners", key=suspended_key).status == 401

    @pytest.mark.usefixtures("acme")
    def test_again_changes_nothing_and_is_audited_once(self, api, admin, database):
        for _ in range(2):
            body = {"status": "offboarded", "reason": "Contract ended", "effective_date": "2026-10-31"}
            assert api.post("/v1/partners/acme/status", body, key=admin).status == 200
        with database.read() as db:
            of_status = (
                select(func.count()).select_from(audit_event).where(audit_event.c.action == "partner.offboarded")
            )
            assert db.execute(of_status).scalar_one() == 1

    @pytest.mark.usefixtures("acme")
    def test_refuses_a_day_that_is_still_to_come(self, api, admin):
        body = {"status": "suspended", "reason": "Later", "effective_date": "2026-11-21"}
        answer = api.post("/v1/partners/acme/status", body, key=admin)
        assert (answer.status, answer.code) == (422, "date_in_future")

    def test_takes_back_a_suspension(self, api, admin, acme, database):
        for status in ("suspended", "active"):
            api.post("/v1/partners/acme/status", {"status": status, "reason": "Why"}, key=admin)
        with database.write() as db:
            key = make_partner_key(db, acme.id)[1]
        assert api.get("/v1/partners", key=key).status == 200

    @pytest.mark.usefixtures("acme")
    def test_is_for_administrators(self, api, acme_key, database):
        with database.write() as db:
            operator = make_user_key(db, Role.OPERATOR)[1]
        body = {"status": "suspended", "reason": "No"}
        assert api.post("/v1/partners/acme/status", body, key=operator).status == 403
        assert api.post("/v1/partners/acme/status", body, key=acme_key).status == 403


class TestOnboarding:
    def test_shows_the_plan_first_and_then_does_it(self, api, admin, database):
        plan = put_bundle(api, admin, params={"dry_run": "true"})
        assert (plan.status, plan.json["dry_run"], plan.json["changed"]) == (200, True, True)
        with database.read() as db:
            assert db.execute(select(func.count()).select_from(partner_table)).scalar_one() == 0

        done = put_bundle(api, admin)
        again = put_bundle(api, admin)
        assert done.json["steps"] == plan.json["steps"]
        assert again.json["changed"] is False
        stored = api.get("/v1/rulesets/bravo.accrual/versions/1", key=admin).json["content"]
        assert '"*":[{"var":"quantity"},2.50]' in stored
        assert api.get("/v1/partners/bravo", key=admin).json["programs"][0]["code"] == "uniform"

    def test_names_every_wrong_place(self, api, admin):
        answer = put_bundle(api, admin, time_zone="Mars")
        assert (answer.status, answer.code) == (422, "bundle_refused")
        assert [fault["pointer"] for fault in answer.json["faults"]] == ["/manifest/time_zone"]

    def test_is_refused_under_another_code(self, api, admin):
        answer = put_bundle(api, admin, code="acme")
        assert [fault["pointer"] for fault in answer.json["faults"]] == ["/manifest/code"]

    def test_by_an_administrator_of_one_partner_touches_nothing_that_others_share(self, api, admin, database):
        put_bundle(api, admin)
        with database.write() as db:
            make_partner(db, "other")
            bound = make_user_key(db, partner_id=directory.named(db, "bravo").id)[1]
        mine = bundle(name="Bravissimo")
        shared = {**mine, "rulesets": [*mine["rulesets"], accrual_document("shared")]}
        changed = put_bundle(api, bound, name="Bravissimo")
        refused = api.request("PUT", "/v1/partners/bravo/onboarding", key=bound, raw=canonical.text(shared))
        foreign = put_bundle(api, bound, code="other")

        assert (changed.status, changed.json["changed"]) == (200, True)
        assert (refused.status, refused.json["faults"][0]["code"]) == (422, "shared_document")
        assert foreign.status == 404


def put_bundle(api, key, code="bravo", params=None, **changes):
    """Send the bundle with its numbers as they are written: 2.5, not "2.5"."""
    return api.request(
        "PUT", f"/v1/partners/{code}/onboarding", key=key, params=params, raw=canonical.text(bundle(**changes))
    )


class TestPrograms:
    def test_are_created_once_and_enrol_who_is_there(self, api, admin, acme, database):
        with database.write() as db:
            member = make_member(db, acme)
        body = {**program_spec(ruleset="acme.accrual"), "partner_code": "acme"}
        created = api.post("/v1/programs", body, key=admin)
        again = api.post("/v1/programs", body, key=admin)
        other = api.post("/v1/programs", body | {"scale": 3}, key=admin)
        profile = api.get(f"/v1/members/{public_id('mbr', member.id)}", key=admin).json

        assert (created.status, again.status, other.status) == (201, 200, 409)
        assert created.json == again.json
        assert [one["program_id"] for one in profile["enrolments"]] == [created.json["id"]]

    @pytest.mark.usefixtures("acme")
    @pytest.mark.parametrize(
        ("change", "pointer"),
        [
            ({"ruleset": "acme.acrual"}, "/ruleset"),
            ({"time_zone": "Mars"}, "/time_zone"),
            ({"enrolment": {"when": {"==": [{"var": "status"}, "actve"]}}}, "/enrolment/when/==/1"),
            ({"scale": "2"}, "/scale"),
            ({"scael": 2}, "/scael"),
        ],
    )
    def test_with_a_fault_are_refused_at_its_place(self, api, admin, change, pointer):
        body = {**program_spec(ruleset="acme.accrual"), "partner_code": "acme", **change}
        answer = api.post("/v1/programs", body, key=admin)
        assert answer.status == 422
        assert pointer in [fault["pointer"] for fault in answer.json["faults"]]

    def test_show_the_rule_that_decides_today(self, api, acme, acme_key, database):
        with database.write() as db:
            program = make_program(db, acme)
        shown = api.get(f"/v1/programs/{public_id('prg', program.id)}", key=acme_key)
        assert shown.json["live_ruleset"]["code"] == "acme.accrual"
        assert shown.json["live_ruleset"]["version"] == 1
        assert shown.json["lots"] == {"expires": {"months": 24}}

    def test_of_another_partner_are_not_there(self, api, acme_key, database):
        with database.write() as db:
            other = make_partner(db, "bravo")
            program = make_program(db, other)
        assert api.get(f"/v1/programs/{public_id('prg', program.id)}", key=acme_key).status == 404
        assert api.get("/v1/programs", key=acme_key, params={"partner_id": "bravo"}).status == 404
        assert api.get("/v1/programs", key=acme_key).json["items"] == []

    def test_are_listed_by_kind_in_pages(self, api, admin, acme, database):
        with database.write() as db:
            for number in range(3):
                make_program(db, acme, f"p{number}", kind="allowance")
            make_program(db, acme, "hours")
        listed, cursor = [], None
        while True:
            params = {"kind": "allowance", "limit": 2, "cursor": cursor, "partner_id": "acme"}
            page = api.get("/v1/programs", key=admin, params=params).json
            listed += [one["code"] for one in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert listed == ["p0", "p1", "p2"]
