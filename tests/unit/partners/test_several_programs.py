"""Several programs of one partner: at the store they have one customer, and none may overwrite the other's fields."""

import copy
from typing import Any

import pytest

from chalicelib.errors import InvalidInput
from chalicelib.partners import directory
from chalicelib.partners.onboarding import onboarding, program_setup
from chalicelib.partners.onboarding.manifest import ProgramDocument
from chalicelib.partners.onboarding.onboarding import BundleRefused
from chalicelib.partners.programs import programs
from chalicelib.storage.engine import Database
from tests.factories.deliveries import mapping_by_program, mapping_document, target_spec
from tests.factories.partners import CALLER, NOW, program_spec
from tests.factories.rules import accrual_document

pytestmark = pytest.mark.usefixtures("data_key")


def bundle(*codes: str, mapping: dict[str, Any] | None = None, target: bool = True) -> dict[str, Any]:
    """Partner acme with these programs, and a store whose mapping comes along when it is given."""
    manifest = {
        "code": "acme",
        "name": "Acme",
        "time_zone": "America/Chicago",
        "programs": [dict(program_spec(code=code, ruleset="acme.accrual")) for code in codes],
        "targets": [target_spec()] if target else [],
    }
    documents = [accrual_document(), *([mapping] if mapping else [])]
    return {"manifest": manifest, "layouts": [], "rulesets": documents, "code_tables": []}


def apply(db, given):
    return onboarding.apply(db, copy.deepcopy(given), dry_run=False, caller=CALLER, now=NOW)


def refused(db, given):
    with pytest.raises(BundleRefused) as error:
        apply(db, given)
    return [(fault.pointer, fault.code) for fault in error.value.faults]


class TestABundle:
    def test_whose_programs_would_overwrite_each_other_is_refused_and_told_how_to_mend_it(self, database: Database):
        with database.write() as db, pytest.raises(BundleRefused) as error:
            apply(db, bundle("uniform", "boots", mapping=mapping_document()))

        [fault] = error.value.faults
        assert (fault.pointer, fault.code) == ("/manifest/targets/0/mapping", "programs_share_fields")
        assert "c_points, c_version" in fault.message
        assert "boots and uniform" in fault.message
        assert "`c_points_{program_code}`" in fault.message
        with database.read() as db:
            assert directory.by_code(db, "acme") is None

    def test_whose_fields_carry_the_program_is_taken(self, database: Database):
        with database.write() as db:
            apply(db, bundle("uniform", "boots", mapping=mapping_by_program()))
            assert directory.by_code(db, "acme") is not None

    def test_with_one_program_or_no_target_is_taken_as_it_is(self, database: Database):
        with database.write() as db:
            apply(db, bundle("uniform", mapping=mapping_document()))
            apply(db, bundle("uniform", mapping=mapping_document()))
        with database.write() as db:
            given = bundle("uniform", "boots", mapping=mapping_document(), target=False)
            given["manifest"]["code"] = "other"
            given["rulesets"][0] |= {"id": "other.accrual", "partner": "other"}
            for program in given["manifest"]["programs"]:
                program["ruleset"] = "other.accrual"
            apply(db, given)

    def test_that_adds_a_program_to_a_mapping_in_force_is_refused(self, database: Database):
        with database.write() as db:
            apply(db, bundle("uniform", mapping=mapping_document()))
            named = refused(db, bundle("uniform", "boots"))
            kept = refused(db, bundle("boots", target=False))

        assert named == [("/manifest/targets/0/mapping", "programs_share_fields")]
        assert kept == [("/manifest/programs", "programs_share_fields")]

    def test_that_takes_the_program_out_of_the_fields_again_is_refused(self, database: Database):
        with database.write() as db:
            apply(db, bundle("uniform", "boots", mapping=mapping_by_program()))
            found = refused(db, bundle("uniform", mapping=mapping_document()))

        assert found == [("/manifest/targets/0/mapping", "programs_share_fields")]


class TestAProgramOfItsOwn:
    def test_that_would_overwrite_another_is_refused(self, database: Database):
        with database.write() as db:
            apply(db, bundle("uniform", mapping=mapping_document()))
            acme = directory.named(db, "acme")
            document = ProgramDocument.model_validate(program_spec(code="boots", ruleset="acme.accrual"))
            with pytest.raises(InvalidInput) as error:
                program_setup.create(db, acme, document, caller=CALLER, now=NOW)
            assert list(programs.of_partner(db, acme.id)) == ["uniform"]

        assert [(fault.pointer, fault.code) for fault in error.value.faults] == [("/code", "programs_share_fields")]
