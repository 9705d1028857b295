"""A configuration is planned as a whole and applied exactly as planned, or not at all."""

import copy
from datetime import date, timedelta
from typing import Any

import pytest

from chalicelib.language import parse_json
from chalicelib.partners import directory
from chalicelib.partners.onboarding import configuring, manifests, onboarding
from chalicelib.partners.onboarding.configuring import PlanOutdated
from chalicelib.partners.onboarding.onboarding import BundleRefused
from chalicelib.rules import activation, canonical, rulesets
from chalicelib.storage.engine import Database
from tests.factories.partners import CALLER, NOW, make_member
from tests.factories.rules import accrual_document
from tests.unit.partners.test_onboarding import small_bundle

pytestmark = pytest.mark.usefixtures("data_key")

LATER = NOW + timedelta(hours=1)


def two_partners() -> dict[str, Any]:
    """Acme and Bravo, who share a code table and have a ruleset each."""
    acme = small_bundle()["manifest"]
    bravo = copy.deepcopy(acme) | {"code": "bravo", "name": "Bravo"}
    bravo["programs"][0]["ruleset"] = "bravo.accrual"
    return {
        "manifests": [bravo, acme],
        "layouts": [],
        "rulesets": [accrual_document("bravo.accrual"), accrual_document("acme.accrual")],
        "code_tables": [table(A="1")],
    }


def table(**entries: str) -> dict[str, Any]:
    listed = [{"code": code, "value": value} for code, value in entries.items()]
    return {"id": "grades", "kind": "code_table", "partner": None, "owner": "ops", "why": "A test.", "entries": listed}


def reversed_keys(value: Any) -> Any:
    match value:
        case dict():
            return {name: reversed_keys(value[name]) for name in reversed(value)}
        case list():
            return [reversed_keys(one) for one in value]
    return value


def configure(db, documents, *, dry_run=False, expected=None, now=NOW):
    return configuring.configure(db, documents, shared=True, dry_run=dry_run, expected=expected, caller=CALLER, now=now)


def actions(found) -> dict[tuple[str, str, str], str]:
    return {(plan.partner, step.kind, step.code): step.action for plan in found.plans for step in plan.steps}


class TestPlan:
    def test_goes_through_partners_by_code_and_counts_the_steps(self, database: Database):
        with database.write() as db:
            found = configure(db, two_partners(), dry_run=True)

        assert [plan.partner for plan in found.plans] == ["acme", "bravo"]
        assert (found.count("create"), found.count("change")) == (9, 0)
        # What they share is new for the first one, and there for the second.
        assert actions(found)[("acme", "code_table", "grades")] == "create"
        assert actions(found)[("bravo", "code_table", "grades")] == "unchanged"

    def test_writes_nothing(self, database: Database):
        with database.write() as db:
            configure(db, two_partners(), dry_run=True)
            assert directory.by_code(db, "acme") is None

    def test_is_the_same_for_the_same_documents_at_another_time(self, database: Database):
        with database.write() as db:
            first = configure(db, two_partners(), dry_run=True)
            second = configure(db, two_partners(), dry_run=True, now=LATER)
            other = configure(db, two_partners() | {"code_tables": [table(A="2")]}, dry_run=True)

        assert first.digest == second.digest != other.digest

    def test_is_the_same_for_the_same_documents_written_in_another_order(self, database: Database):
        changed = two_partners() | {"code_tables": [table(A="2")]}
        changed["rulesets"][1] = accrual_document("acme.accrual", rate="2")
        with database.write() as db:
            configure(db, two_partners())
            first = configure(db, changed, dry_run=True)
            second = configure(db, reversed_keys(changed), dry_run=True)

        assert first.digest == second.digest

    def test_tells_what_a_changed_rule_and_table_say_otherwise(self, database: Database):
        changed = two_partners() | {"code_tables": [table(A="2", B="3")]}
        changed["rulesets"][1] = accrual_document("acme.accrual", rate="2")
        with database.write() as db:
            configure(db, two_partners())
            found = configure(db, changed, dry_run=True, now=LATER)

        steps = {(step.kind, step.code): step for plan in found.plans for step in plan.steps if step.changes}
        assert list(steps["code_table", "grades"].changes) == ["A: 1 -> 2", "new: B = 3"]
        assert any("2" in sentence for sentence in steps["ruleset", "acme.accrual"].changes)
        assert ("ruleset", "bravo.accrual") not in steps

    def test_names_the_faults_of_every_partner_by_their_places_and_shared_ones_once(self, database: Database):
        documents = two_partners()
        documents["manifests"][0]["time_zone"] = "Mars/Olympus"
        documents["rulesets"][1]["kind"] = "wish"
        documents["code_tables"][0]["entries"] = []
        with database.write() as db, pytest.raises(BundleRefused) as refused:
            configure(db, documents)

        pointers = [fault.pointer for fault in refused.value.faults]
        assert pointers.count("/code_tables/0/entries") == 1
        assert {"/manifests/0/time_zone", "/rulesets/1/kind"} <= set(pointers)

    def test_refuses_a_document_of_a_partner_without_a_manifest(self, database: Database):
        documents = two_partners()
        documents["manifests"].pop(0)
        with database.write() as db, pytest.raises(BundleRefused) as refused:
            configure(db, documents)

        assert [(fault.pointer, fault.code) for fault in refused.value.faults] == [
            ("/rulesets/0/partner", "unknown_partner")
        ]


class TestApply:
    def test_does_what_was_planned_and_a_second_time_changes_nothing(self, database: Database):
        with database.write() as db:
            planned = configure(db, two_partners(), dry_run=True)
        with database.write() as db:
            done = configure(db, two_partners(), expected=planned.digest, now=LATER)
        with database.write() as db:
            again = configure(db, two_partners())

        assert done.digest == planned.digest
        assert actions(done) == actions(planned)
        assert set(actions(again).values()) == {"unchanged"}

    def test_changes_nothing_when_one_partner_is_refused(self, database: Database):
        documents = two_partners()
        documents["manifests"][0]["time_zone"] = "Mars/Olympus"
        with database.write() as db:
            with pytest.raises(BundleRefused):
                configure(db, documents)
            assert directory.by_code(db, "acme") is None

    @pytest.mark.parametrize("meddle", ["entry", "version", "promotion", "name", "program", "members"])
    def test_is_refused_when_the_environment_has_changed_since(self, database: Database, meddle):
        wanted = two_partners() | {"code_tables": [table(A="2")]}
        wanted["rulesets"][1] = accrual_document("acme.accrual", rate="2")
        wanted["manifests"][1]["name"] = "Acme Inc"
        wanted["manifests"][1]["programs"][0]["effective_from"] = "2025-12-01"
        with database.write() as db:
            configure(db, two_partners())
            planned = configure(db, wanted, dry_run=True)
        with database.write() as db:
            acme = directory.by_code(db, "acme")
            other = two_partners()
            match meddle:
                case "entry":
                    configure(db, other | {"code_tables": [table(A="1", C="4")]}, now=LATER)
                case "version":
                    rulesets.save(db, _other_rate(), partner_id=acme.id, caller=CALLER, now=LATER)
                case "promotion":
                    [first] = [rulesets.by_number(db, "acme.accrual", 1)]
                    later = date(2027, 1, 1)
                    saved = rulesets.save(db, _other_rate(), partner_id=acme.id, caller=CALLER, now=LATER)
                    for version, day in ((saved.version_id, later), (first.version_id, date(2028, 1, 1))):
                        activation.activate(db, "acme.accrual", version, effective_from=day, caller=CALLER, now=LATER)
                case "name":
                    other["manifests"][1]["name"] = "Acme Ltd"
                    configure(db, other, now=LATER)
                case "program":
                    other["manifests"][1]["programs"][0]["lots"] = {"expires": None}
                    configure(db, other, now=LATER)
                case "members":
                    make_member(db, acme, "E1")
        with database.write() as db:
            if meddle == "members":
                # Who the change would enrol is part of what it does.
                assert _refused_or_same(db, wanted, planned.digest)
                return
            with pytest.raises(PlanOutdated):
                configure(db, wanted, expected=planned.digest, now=LATER)
            assert directory.by_code(db, "acme").name != "Acme Inc"

    def test_is_refused_for_other_documents_than_were_planned(self, database: Database):
        with database.write() as db:
            planned = configure(db, two_partners(), dry_run=True)
            with pytest.raises(PlanOutdated):
                configure(db, two_partners() | {"code_tables": [table(A="2")]}, expected=planned.digest)


def _other_rate() -> dict[str, Any]:
    return accrual_document("acme.accrual", rate="7")


def _refused_or_same(db, documents, digest) -> bool:
    found = configure(db, documents, dry_run=True)
    counted = [step for plan in found.plans for step in plan.steps if step.kind == "enrolments"]
    return (found.digest != digest) is bool(counted)


class TestPromotedByHand:
    def test_a_version_that_decides_from_a_later_day_is_left_there(self, database: Database):
        changed = two_partners()
        changed["rulesets"][1] = accrual_document("acme.accrual", rate="2")
        with database.write() as db:
            configure(db, two_partners())
            acme = directory.by_code(db, "acme")
            saved = rulesets.save(db, changed["rulesets"][1], partner_id=acme.id, caller=CALLER, now=NOW)
            day = date(2027, 1, 1)
            activation.activate(db, "acme.accrual", saved.version_id, effective_from=day, caller=CALLER, now=LATER)
            found = configure(db, changed, dry_run=True, now=LATER + timedelta(hours=1))

        assert set(actions(found).values()) == {"unchanged"}

    def test_what_was_rolled_back_for_some_days_stays_so(self, database: Database):
        with database.write() as db:
            configure(db, two_partners())
            acme = directory.by_code(db, "acme")
            first = rulesets.by_number(db, "acme.accrual", 1)
            saved = rulesets.save(db, _other_rate(), partner_id=acme.id, caller=CALLER, now=NOW)
            for number, (version, day) in enumerate(
                ((saved.version_id, date(2026, 12, 1)), (first.version_id, date(2027, 1, 1)))
            ):
                now = LATER + timedelta(hours=number)
                activation.activate(db, "acme.accrual", version, effective_from=day, caller=CALLER, now=now)
            found = configure(db, two_partners(), dry_run=True, now=LATER + timedelta(days=1))

        assert actions(found)[("acme", "activation", "acme.accrual")] == "unchanged"


class TestManifestGivenBack:
    def test_is_what_was_applied(self, database: Database):
        with database.write() as db:
            onboarding.apply(db, small_bundle(), dry_run=False, caller=CALLER, now=NOW)
            found = manifests.of(db, directory.by_code(db, "acme"))

        assert found.as_applied
        assert found.document == small_bundle()["manifest"]

    @pytest.mark.parametrize(
        "more", [{}, {"corrections": {"second_person_above": "50"}, "terms": {"termination": {"policy": "grace"}}}]
    )
    def test_changes_nothing_when_it_is_applied_after_a_program_was_changed_otherwise(
        self, database: Database, more: dict
    ):
        from chalicelib.partners.programs import programs

        bundle = small_bundle()
        bundle["manifest"]["programs"][0] |= more
        with database.write() as db:
            onboarding.apply(db, bundle, dry_run=False, caller=CALLER, now=NOW)
            acme = directory.by_code(db, "acme")
            program = programs.of_partner(db, acme.id)["uniform"]
            spec = programs.spec_of(program)
            other = type(spec)(**{name: getattr(spec, name) for name in spec.__slots__} | {"name": "Renamed"})
            programs.change(db, program, other, caller=CALLER, now=NOW)
            found = manifests.of(db, acme)
            document = parse_json(canonical.text(found.document))
            plan = onboarding.apply(db, small_bundle() | {"manifest": document}, dry_run=True, caller=CALLER, now=NOW)

        assert not found.as_applied
        assert document["programs"][0]["name"] == "Renamed"
        assert {step.action for step in plan.steps} == {"unchanged"}
