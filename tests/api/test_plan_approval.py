"""What changes money otherwise than by a rule needs a second person, who approves exactly that plan."""

from datetime import timedelta
from typing import Any

import pytest

from chalicelib.access import keys as access_keys
from chalicelib.access.caller import Caller
from chalicelib.access.scopes import ROLE_SCOPES, Role
from chalicelib.rules import code_tables
from chalicelib.settings import settings
from chalicelib.storage.ids import public_id
from tests.factories.access import make_user, make_user_key
from tests.factories.partners import program_spec
from tests.factories.points import make_earning
from tests.factories.rules import accrual_document, code_table, live_ruleset, table_document

pytestmark = pytest.mark.usefixtures("data_key")


def looking_up(partner: str) -> dict[str, Any]:
    """A rule by which an hour earns what the table says."""
    document = accrual_document(f"{partner}.accrual", rate="10")
    rate = {"parse_decimal": [{"lookup": [f"{partner}.grade", "G1", {"on_miss": "error"}]}]}
    document["outputs"]["points"]["expr"]["*"][1] = rate
    document["cases"] = [case | {"code_tables": {f"{partner}.grade": {"G1": "10"}}} for case in document["cases"]]
    return document


@pytest.fixture
def earning(database, data_key):
    """A partner whose rule looks up points in a table, and who has another rule."""
    with database.write() as db:
        found = make_earning(db)
        partner = found.partner
        code_table(db, partner.id, table_document(f"{partner.code}.grade"))
        live_ruleset(db, partner.id, accrual_document(f"{partner.code}.other", rate="3"))
        live_ruleset(db, partner.id, looking_up(partner.code))
        return found


@pytest.fixture
def people(database) -> dict[str, str]:
    """Keys of an author, of an approver who had theirs from the hub, and of one who had theirs from the author."""
    with database.write() as db:
        author = make_user(db)
        given = access_keys.create(
            db,
            name="given",
            scopes=ROLE_SCOPES[Role.APPROVER],
            user_id=make_user(db, Role.APPROVER).id,
            caller=Caller(public_id("usr", author.id), "test"),
            now=author.created_at,
        )[1]
        return {
            "author": make_user_key(db, user=author)[1],
            "author again": make_user_key(db, user=author)[1],
            "approver": make_user_key(db, Role.APPROVER)[1],
            "given by the author": given,
            "viewer": make_user_key(db, Role.VIEWER)[1],
        }


@pytest.fixture
def required(monkeypatch, api, earning):
    """As everywhere but on a local hub."""
    monkeypatch.setenv("INTERLINE_RULE_APPROVAL", "required")
    settings.cache_clear()
    yield
    monkeypatch.undo()
    settings.cache_clear()


class Desk:
    """Plans, approves and applies one partner's files."""

    def __init__(self, api, people, earning) -> None:
        self.api, self.people, self.code = api, people, earning.partner.code
        self.documents: dict[str, Any] = {
            "manifests": [
                {
                    "code": self.code,
                    "name": earning.partner.name,
                    "time_zone": earning.partner.time_zone,
                    "programs": [{**program_spec(), "name": "Uniform", "ruleset": f"{self.code}.accrual"}],
                }
            ],
            "layouts": [],
            "rulesets": [],
            "code_tables": [],
        }

    def table(self, **entries: str) -> None:
        self.documents["code_tables"] = [table_document(f"{self.code}.grade", entries)]

    def program(self, **changes: Any) -> None:
        self.documents["manifests"][0]["programs"][0] |= changes

    def plan(self, who: str = "author"):
        planned = self.api.post("/v1/config/plan", self.documents, key=self.people[who])
        assert planned.status == 200, planned.text
        return planned.json

    def approve(self, plan, who: str = "approver"):
        return self.api.post(f"/v1/config/plans/{plan['plan_hash']}/approve", {}, key=self.people[who])

    def apply(self, plan, who: str = "author"):
        body = self.documents | {"plan_hash": plan["plan_hash"]}
        return self.api.post("/v1/config/apply", body, key=self.people[who])


@pytest.fixture
def desk(api, people, earning, required) -> Desk:
    return Desk(api, people, earning)


def grade(database, desk: Desk) -> str:
    with database.read() as db:
        return code_tables.resolve(db, [f"{desk.code}.grade"], on=code_tables.ALWAYS)[f"{desk.code}.grade"]["G1"]


def marked(plan) -> list[tuple[str, str]]:
    return [(step["kind"], step["code"]) for one in plan["partners"] for step in one["steps"] if step["needs_approval"]]


class TestATableThatARuleLooksUpPointsIn:
    def test_changes_once_another_person_approved_the_plan(self, desk: Desk, database):
        desk.table(G1="99")
        plan = desk.plan()
        assert (plan["needs_approval"], marked(plan)) == (True, [("code_table", f"{desk.code}.grade")])

        refused = desk.apply(plan)
        assert (refused.status, refused.code) == (403, "approval_required")
        assert [fault["pointer"] for fault in refused.json["faults"]] == [f"/code_table/{desk.code}.grade"]
        assert "G1: 10 -> 99" in refused.json["faults"][0]["message"]
        assert grade(database, desk) == "10"

        approved = desk.approve(plan)
        assert approved.status == 200, approved.text
        assert desk.apply(plan).status == 200
        assert grade(database, desk) == "99"

    def test_is_shown_to_the_approver_by_the_hub(self, desk: Desk):
        desk.table(G1="99")
        plan = desk.plan()

        kept = desk.api.get(f"/v1/config/plans/{plan['plan_hash']}", key=desk.people["approver"])

        assert kept.status == 200, kept.text
        [one] = kept.json["partners"]
        [step] = [step for step in one["steps"] if step["kind"] == "code_table"]
        assert "G1: 10 -> 99" in step["changes"]
        assert f"{desk.code}.accrual looks up points in it" in step["changes"]

    def test_is_not_changed_by_a_plan_that_was_approved_for_other_content(self, desk: Desk, database):
        desk.table(G1="11")
        approved = desk.plan()
        assert desk.approve(approved).status == 200

        desk.table(G1="99")
        assert desk.apply(approved).code == "plan_outdated"
        assert desk.apply(desk.plan()).code == "approval_required"
        assert grade(database, desk) == "10"

    def test_an_approval_is_used_up(self, desk: Desk, database):
        assert desk.apply(desk.plan()).status == 200  # the manifest, for which nobody is needed
        desk.table(G1="99", G2="20")
        first = desk.plan()
        desk.approve(first)
        assert desk.apply(first).status == 200
        desk.table(G1="10", G2="20")
        back = desk.plan()
        desk.approve(back)
        assert desk.apply(back).status == 200

        desk.table(G1="99", G2="20")
        again = desk.plan()
        assert again["plan_hash"] == first["plan_hash"]
        assert desk.apply(again).code == "approval_required"
        assert grade(database, desk) == "10"

    def test_an_approval_ends(self, desk: Desk, edge_clock):
        desk.table(G1="99")
        plan = desk.plan()
        desk.approve(plan)
        edge_clock.now += timedelta(days=31)

        assert desk.apply(plan).code == "approval_required"

    def test_goes_through_a_bundle_only_as_a_plan(self, desk: Desk, database):
        desk.table(G1="99")
        manifest = desk.documents["manifests"][0]
        bundle = {"manifest": manifest, "code_tables": desk.documents["code_tables"]}
        path = f"/v1/partners/{desk.code}/onboarding"

        refused = desk.api.put(path, bundle, key=desk.people["author"])

        assert (refused.status, refused.code) == (403, "approval_required")
        assert "/v1/config/plan" in refused.json["detail"]
        assert grade(database, desk) == "10"
        shown = desk.api.put(path, bundle, key=desk.people["author"], params={"dry_run": "true"})
        assert shown.status == 200

    def test_that_no_live_rule_looks_up_in_needs_nobody(self, desk: Desk):
        desk.documents["code_tables"] = [table_document(f"{desk.code}.free", {"A": "1"})]
        assert desk.apply(desk.plan()).status == 200
        desk.documents["code_tables"] = [table_document(f"{desk.code}.free", {"A": "2"})]
        plan = desk.plan()

        assert marked(plan) == []
        assert desk.apply(plan).status == 200


class TestAProgram:
    @pytest.mark.parametrize(
        "change",
        [
            {"ruleset": "other"},
            {"enrolment": {"when": {"==": [{"var": "status"}, "terminated"]}}},
            {"effective_from": "2025-01-01"},
            {"lots": {"expires": {"months": 1}}},
        ],
        ids=lambda change: next(iter(change)),
    )
    def test_that_exists_needs_a_second_person_for_what_is_money(self, desk: Desk, change):
        desk.program(**{name: f"{desk.code}.other" if name == "ruleset" else each for name, each in change.items()})
        plan = desk.plan()

        assert marked(plan) == [("program", "uniform")]
        assert desk.apply(plan).code == "approval_required"
        assert desk.approve(plan).status == 200
        assert desk.apply(plan).status == 200

    def test_needs_nobody_for_its_name(self, desk: Desk):
        desk.program(name="Clothes")
        assert desk.apply(desk.plan()).status == 200

    def test_that_is_new_needs_nobody(self, desk: Desk):
        known = desk.documents["manifests"][0]["programs"][0]
        desk.documents["manifests"][0]["programs"].append(known | {"code": "boots"})
        assert desk.apply(desk.plan()).status == 200


class TestThePersons:
    def test_who_approved_may_not_apply(self, desk: Desk):
        desk.table(G1="99")
        plan = desk.plan()
        assert desk.approve(plan, "author again").status == 200
        assert desk.apply(plan).code == "own_approval"

        assert desk.approve(plan).status == 200
        assert desk.apply(plan).status == 200

    def test_a_key_that_the_author_made_approves_nothing_for_the_author(self, desk: Desk):
        desk.table(G1="99")
        plan = desk.plan()
        assert desk.approve(plan, "given by the author").status == 200

        assert desk.apply(plan).code == "key_from_author"

    def test_only_approvers_approve(self, desk: Desk):
        desk.table(G1="99")
        assert desk.approve(desk.plan(), "viewer").code == "scope_missing"

    def test_a_plan_that_nobody_made_cannot_be_approved(self, desk: Desk):
        assert desk.approve({"plan_hash": "ab" * 32}).status == 404


def test_on_a_local_hub_nobody_is_asked(api, people, earning, database):
    desk = Desk(api, people, earning)
    desk.table(G1="99")
    desk.program(lots={"expires": None})
    plan = desk.plan()

    assert (plan["needs_approval"], marked(plan)) == (False, [])
    assert desk.apply(plan).status == 200
    assert grade(database, desk) == "99"
