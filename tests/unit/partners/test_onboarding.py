"""One bundle makes a partner live; applied again it changes nothing; with anything wrong in it nothing is written."""

import copy
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from chalicelib.access.models import audit_event
from chalicelib.deliveries import targets
from chalicelib.language import parse_json
from chalicelib.partners import directory
from chalicelib.partners.members import members
from chalicelib.partners.models.partners import enrolment, partner
from chalicelib.partners.onboarding import onboarding
from chalicelib.partners.onboarding.onboarding import BundleRefused
from chalicelib.partners.programs import programs
from chalicelib.rules import golden, rulesets
from chalicelib.rules.models import ruleset, ruleset_version
from chalicelib.settings import settings
from chalicelib.storage.engine import Database
from tests.factories.partners import CALLER, NOW, make_member
from tests.factories.rules import accrual_document, golden_case

pytestmark = pytest.mark.usefixtures("data_key")

RULES = Path(__file__).parents[3] / "rules"
SAMPLES = sorted(path.stem for path in (RULES / "partners").glob("*.json"))


def repository_bundle(code: str) -> dict[str, Any]:
    """The bundle of one of the repository's own partners."""

    def documents(folder: str) -> list[Any]:
        found = [parse_json(path.read_bytes()) for path in sorted((RULES / folder).glob("*.json"))]
        return [document for document in found if document["partner"] in {None, code}]

    return {
        "manifest": parse_json((RULES / "partners" / f"{code}.json").read_bytes()),
        "layouts": documents("layouts"),
        "rulesets": documents("rulesets"),
        "code_tables": documents("code-tables"),
    }


def small_bundle(**changes: Any) -> dict[str, Any]:
    """A partner with one program and one ruleset."""
    program = {
        "code": "uniform",
        "name": "Uniform points",
        "kind": "accrual",
        "unit": "points",
        "scale": 2,
        "time_zone": "America/Chicago",
        "ruleset": "acme.accrual",
        "effective_from": "2026-01-01",
        "lots": {"expires": {"months": 24}},
        "enrolment": {"when": {"==": [{"var": "country"}, "US"]}},
    }
    manifest = {
        "code": "acme",
        "name": "Acme",
        "industry": "police",
        "time_zone": "America/Chicago",
        "contacts": [{"role": "files", "email": "hr@acme.example"}],
        "programs": [program],
    }
    return {"manifest": manifest, "layouts": [], "rulesets": [accrual_document()], "code_tables": []} | changes


def changed(path: str, value: Any, bundle: dict[str, Any] | None = None) -> dict[str, Any]:
    """The small bundle with another value at a slash-separated path."""
    bundle = copy.deepcopy(bundle or small_bundle())
    *way, last = path.split("/")
    place: Any = bundle
    for step in way:
        place = place[int(step)] if isinstance(place, list) else place[step]
    place[int(last) if isinstance(place, list) else last] = value
    return bundle


def apply(db, bundle, *, dry_run=False, now=NOW):
    return onboarding.apply(db, bundle, dry_run=dry_run, caller=CALLER, now=now)


def audit_count(db) -> int:
    return db.execute(select(func.count()).select_from(audit_event)).scalar_one()


class TestTheRepositorysPartners:
    @pytest.mark.parametrize("code", SAMPLES)
    def test_come_live_from_their_files_and_a_second_time_changes_nothing(self, database: Database, code):
        bundle = repository_bundle(code)
        with database.write() as db:
            first = apply(db, bundle)
            audited = audit_count(db)
            found = directory.by_code(db, code)
            asked = {program["ruleset"] for program in bundle["manifest"]["programs"]}
            live = {each for each, timeline in rulesets.timelines(db, asked, known_at=NOW).items() if timeline.steps}
            reached = targets.of_partner(db, found.id)
        with database.write() as db:
            second = apply(db, copy.deepcopy(bundle))
            assert audit_count(db) == audited

        assert first.changed
        assert {step.action for step in second.steps} == {"unchanged"}
        assert len(second.steps) >= len(first.steps)
        assert live == asked
        assert {target.connector for target in reached} <= {"sfcc_customers"}
        assert len(reached) == len(bundle["manifest"].get("targets", []))

    def test_share_documents(self, database: Database):
        with database.write() as db:
            for code in SAMPLES:
                apply(db, repository_bundle(code))
            shared = db.execute(select(ruleset.c.code).where(ruleset.c.partner_id.is_(None))).scalars().all()

        assert "commerce-cloud.balance" in shared
        assert "hr_roster" in shared

    def test_have_manifests_that_the_edge_can_carry(self):
        for code in SAMPLES:
            json.dumps(repository_bundle(code))  # a Decimal in a document would be refused as a JSON float


class TestNewPartner:
    def test_is_created_with_everything_that_the_plan_names(self, database: Database):
        with database.write() as db:
            plan = apply(db, small_bundle())
            found = directory.by_code(db, "acme")
            program = programs.of_partner(db, found.id)["uniform"]

        assert [(step.kind, step.code, step.action) for step in plan.steps] == [
            ("partner", "acme", "create"),
            ("ruleset", "acme.accrual", "create"),
            ("activation", "acme.accrual", "create"),
            ("program", "uniform", "create"),
        ]
        assert (found.status, found.industry) == ("active", "police")
        assert (program.scale, program.unit, program.lots) == (2, "points", {"expires": {"months": 24}})

    def test_is_not_created_by_a_dry_run(self, database: Database):
        with database.write() as db:
            plan = apply(db, small_bundle(), dry_run=True)
            assert db.execute(select(func.count()).select_from(partner)).scalar_one() == 0
            assert db.execute(select(func.count()).select_from(ruleset_version)).scalar_one() == 0
            assert audit_count(db) == 0
            done = apply(db, small_bundle())

        assert plan.dry_run
        assert plan.steps == done.steps

    def test_waits_for_approval_where_rules_need_a_second_person(self, database: Database, monkeypatch):
        monkeypatch.setenv("INTERLINE_RULE_APPROVAL", "required")
        settings.cache_clear()
        try:
            with database.write() as db:
                plan = apply(db, small_bundle())
                live = rulesets.timeline(db, "acme.accrual", known_at=NOW).on(date(2026, 6, 1))
        finally:
            monkeypatch.undo()
            settings.cache_clear()

        assert ("activation", "awaits_approval") in [(step.kind, step.action) for step in plan.steps]
        assert live is None


class TestTheGatesOfItsRules:
    """What the second person does not see on a local hub, the gates do: they are the same for a bundle."""

    def faults(self, database, bundle, *, golden_case=None) -> list[tuple[str, str]]:
        with database.write() as db:
            if golden_case is not None:
                apply(db, small_bundle())
                golden.put(db, "acme.accrual", "four-hours", golden_case, caller=CALLER, now=NOW)
            before = db.execute(select(func.count()).select_from(ruleset_version)).scalar_one()
        with database.write() as db, pytest.raises(BundleRefused) as refused:
            apply(db, bundle)
        with database.write() as db, pytest.raises(BundleRefused):
            apply(db, bundle, dry_run=True)
        with database.read() as db:
            assert db.execute(select(func.count()).select_from(ruleset_version)).scalar_one() == before
        return [(fault.code, fault.pointer) for fault in refused.value.faults]

    def test_refuse_what_no_case_gets_to_with_its_place_in_the_bundle(self, database: Database):
        bundle = changed("rulesets/0/cases", accrual_document()["cases"][:1])

        assert self.faults(database, bundle) == [("not_covered", "/rulesets/0/when")]

    def test_refuse_a_red_case(self, database: Database):
        bundle = changed("rulesets/0/cases/0/expect", {"points": "1.00"})

        assert ("case_failed", "/rulesets/0/cases/0") in self.faults(database, bundle)

    def test_refuse_a_lint_error(self, database: Database):
        rule = accrual_document()
        active = {"==": [{"var": "status"}, "active"]}
        gone = {"==": [{"var": "status"}, "terminated"]}
        rule["when"] = {"or": [active, {"and": [gone, active]}]}

        found = self.faults(database, changed("rulesets/0", rule))

        assert {code for code, _ in found} & {"always_false", "unreachable_branch"}
        assert all(pointer.startswith("/rulesets/0/when") for _, pointer in found)

    def test_refuse_a_red_golden_case(self, database: Database):
        bundle = changed("rulesets/0", accrual_document(rate="2"))

        assert self.faults(database, bundle, golden_case=golden_case("1.5")) == [
            ("case_failed", "/rulesets/0/golden/four-hours")
        ]

    def test_name_every_rule_at_once(self, database: Database):
        bundle = small_bundle()
        one_case = accrual_document()["cases"][:1]
        bundle["rulesets"] = [accrual_document(code, cases=one_case) for code in ("acme.accrual", "acme.bonus")]

        assert {pointer[:11] for _, pointer in self.faults(database, bundle)} == {"/rulesets/0", "/rulesets/1"}


class TestChange:
    def test_names_before_and_after_and_is_audited_once(self, database: Database):
        with database.write() as db:
            apply(db, small_bundle())
            audited = audit_count(db)
            plan = apply(db, changed("manifest/programs/0/name", "Boots"))
            assert audit_count(db) == audited + 1

        [step] = [step for step in plan.steps if step.action != "unchanged"]
        assert (step.kind, step.before, step.after) == ("program", {"name": "Uniform points"}, {"name": "Boots"})

    def test_of_a_rule_says_which_version_decided_before(self, database: Database):
        with database.write() as db:
            apply(db, small_bundle())
            plan = apply(db, changed("rulesets/0/why", "Another reason."), now=NOW.replace(hour=23))

        rule, activation = [step for step in plan.steps if step.action != "unchanged"]
        assert (rule.kind, rule.action, rule.before, rule.after["version"]) == ("ruleset", "change", {"version": 1}, 2)
        assert (activation.kind, activation.action) == ("activation", "change")
        since = {"effective_from": "2026-01-01"}
        assert activation.before == {"version": 1, "decides": [since | {"version": 1}]}
        assert activation.after == {"version": 2, **since, "decides": [since | {"version": 2}]}

    def test_of_a_partner_names_only_what_differs(self, database: Database):
        with database.write() as db:
            apply(db, small_bundle())
            plan = apply(db, changed("manifest/name", "Acme & Sons"))

        [step] = [step for step in plan.steps if step.action != "unchanged"]
        assert (step.before.keys(), step.after) == ({"name"}, {"name": "Acme & Sons"})

    @pytest.mark.parametrize(("name", "value"), [("scale", 3), ("unit", "USD"), ("time_zone", "Europe/Berlin")])
    def test_of_what_the_ledger_is_kept_in_is_refused(self, database: Database, name, value):
        with database.write() as db:
            apply(db, small_bundle())
        with database.write() as db, pytest.raises(BundleRefused) as refused:
            apply(db, changed(f"manifest/programs/0/{name}", value))

        assert [(fault.pointer, fault.code) for fault in refused.value.faults] == [
            (f"/manifest/programs/0/{name}", "is_fixed")
        ]

    def test_of_the_rule_decides_about_members_from_today_on(self, database: Database):
        with database.write() as db:
            apply(db, small_bundle())
            found = directory.by_code(db, "acme")
            member = make_member(db, found, job_code="CREW")
            none_of_them = {"==": [{"var": "job_code"}, "PILOT"]}
            plan = apply(db, changed("manifest/programs/0/enrolment/when", none_of_them))
            periods = db.execute(select(enrolment.c.valid_from, enrolment.c.valid_to)).all()
            assert members.by_ids(db, [member.id])

        assert [tuple(row) for row in periods] == [(date(2026, 1, 1), date(2026, 11, 19))]
        assert ("enrolments", {"periods": 1}) in [(step.kind, step.after) for step in plan.steps]

    def test_that_adds_a_program_enrols_who_is_there(self, database: Database):
        with database.write() as db:
            apply(db, small_bundle())
            found = directory.by_code(db, "acme")
            make_member(db, found, "E1")
            make_member(db, found, "E2", country="CA")
            bundle = small_bundle()
            bundle["manifest"]["programs"].append(
                bundle["manifest"]["programs"][0] | {"code": "boots", "effective_from": "2026-07-01"}
            )
            apply(db, bundle)
            boots = programs.of_partner(db, found.id)["boots"]
            periods = db.execute(select(enrolment).where(enrolment.c.program_id == boots.id)).all()

        assert [(period.valid_from, period.valid_to) for period in periods] == [(date(2026, 7, 1), None)]


class TestFaultyBundle:
    @pytest.mark.parametrize(
        ("path", "value", "pointer", "told"),
        [
            ("manifest/code", "ac_me", "/manifest/code", ""),
            ("manifest/programs/0/code", "uni_form", "/manifest/programs/0/code", ""),
            ("manifest/time_zone", "America/Chicagoo", "/manifest/time_zone", "did you mean `America/Chicago`?"),
            ("manifest/programs/0/scael", 2, "/manifest/programs/0/scael", "did you mean `scale`?"),
            ("manifest/programs/0/lots/expires", {"month": 3}, "/manifest/programs/0/lots/expires", ""),
            ("manifest/programs/0/ruleset", "acme.acrual", "/manifest/programs/0/ruleset", "`acme.accrual`"),
            ("manifest/programs/0/effective_from", "1.1.2026", "/manifest/programs/0/effective_from", "2026-11-20"),
            (
                "manifest/programs/0/enrolment/when",
                {"==": [{"var": "contry"}, "US"]},
                "/manifest/programs/0/enrolment/when",
                "did you mean `country`?",
            ),
            (
                "manifest/programs/0/enrolment/when",
                {">": [{"months_between": [{"var": "hire_date"}, {"var": "as_of"}]}, 6]},
                "/manifest/programs/0/enrolment/when/>/0/months_between/1/var",
                "accrual rule",
            ),
            ("manifest/layouts", ["hr_rooster"], "/manifest/layouts/0", "unknown layout"),
            ("manifest/targets", [{"code": "store"}], "/manifest/targets/0/connector", ""),
            ("rulesets/0/partner", "other", "/rulesets/0/id", ""),
            ("rulesets/0/outputs/points/expr", {"*": [{"var": "quantty"}, 2]}, "/rulesets/0/outputs", "`quantity`"),
            ("code_tables", [{"id": "acme.t"}], "/code_tables/0/kind", ""),
            ("manifest/contacts/0", {"email": "x@example.com"}, "/manifest/contacts/0/role", ""),
        ],
    )
    def test_names_the_place_and_writes_nothing(self, database: Database, path, value, pointer, told):
        with database.write() as db, pytest.raises(BundleRefused) as refused:
            apply(db, changed(path, value))
        with database.read() as db:
            assert db.execute(select(func.count()).select_from(partner)).scalar_one() == 0

        found = [fault for fault in refused.value.faults if fault.pointer.startswith(pointer)]
        assert found, refused.value.faults
        assert any(told in fault.message for fault in found), found

    def test_names_every_place_at_once(self, database: Database):
        bundle = changed("manifest/time_zone", "Mars/Olympus")
        bundle = changed("manifest/programs/0/enrolment/when", {"==": [{"var": "grde"}, "A"]}, bundle)
        bundle["rulesets"][0]["why"] = ""
        with database.write() as db, pytest.raises(BundleRefused) as refused:
            apply(db, bundle)

        places = {fault.pointer.split("/")[1] + "/" + fault.pointer.split("/")[2] for fault in refused.value.faults}
        assert places >= {"manifest/time_zone", "manifest/programs", "rulesets/0"}

    def test_is_refused_under_another_partners_path(self, database: Database):
        with database.write() as db, pytest.raises(BundleRefused) as refused:
            onboarding.apply(db, small_bundle(), code="other", dry_run=False, caller=CALLER, now=NOW)

        assert refused.value.faults[0].pointer == "/manifest/code"

    def test_cannot_use_what_belongs_to_another_partner(self, database: Database):
        other = changed("manifest/code", "other")
        other["rulesets"] = []
        with database.write() as db:
            apply(db, small_bundle())
        with database.write() as db, pytest.raises(BundleRefused) as refused:
            apply(db, other)

        assert refused.value.faults[0].pointer == "/manifest/programs/0/ruleset"
