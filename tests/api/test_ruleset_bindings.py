"""What one ruleset says, and what asks it: programs, targets and partners' files."""

import copy
import hashlib

import pytest

from chalicelib.access.scopes import Role
from chalicelib.partners import directory
from chalicelib.partners.onboarding import onboarding
from tests.factories.access import make_user_key
from tests.factories.deliveries import make_target, mapping_document
from tests.factories.files import hours_layout
from tests.factories.partners import NOW, program_spec
from tests.factories.points import CALLER, make_earning
from tests.factories.rules import accrual_document, live_ruleset

pytestmark = pytest.mark.usefixtures("data_key")


@pytest.fixture
def admin(database) -> str:
    with database.write() as db:
        return make_user_key(db)[1]


def shown(api, key, code):
    found = api.get(f"/v1/rulesets/{code}", key=key)
    assert found.status == 200, found.text
    return found.json


def bound(api, key, code):
    return [(each["kind"], each["partner_code"], each["code"]) for each in shown(api, key, code)["bindings"]]


class TestTheDefinition:
    def test_is_the_text_of_the_version_that_decides(self, api, admin, database):
        with database.write() as db:
            earning = make_earning(db)
        code = earning.version.ruleset_code
        draft = {"document": accrual_document(code, rate="3")}
        api.post(f"/v1/rulesets/{code}/versions", draft, key=admin)

        told = shown(api, admin, code)

        assert (told["definition"]["version"], told["definition"]["live"]) == (1, True)
        assert hashlib.sha256(told["definition"]["content"].encode()).hexdigest() == told["live"]["content_hash"]
        assert (told["owner"], told["latest_version"]) == ("tests", 2)

    def test_is_that_of_the_latest_where_none_decides(self, api, admin):
        for rate in ("2", "3"):
            document = accrual_document("shared_rule", rate=rate, partner=None)
            api.post("/v1/rulesets/shared_rule/versions", {"document": document}, key=admin)

        told = shown(api, admin, "shared_rule")

        assert (told["definition"]["version"], told["definition"]["live"], told["bindings"]) == (2, False, [])


class TestBindings:
    def test_of_an_accrual_rule_are_its_programs_of_all_partners(self, api, admin, database):
        with database.write() as db:
            live_ruleset(db, None, accrual_document("shared_rule", partner=None))
            first, second = (make_earning(db, ruleset_code="shared_rule").partner for _ in range(2))
            viewer = make_user_key(db, Role.VIEWER, partner_id=second.id)[1]

        everything = bound(api, admin, "shared_rule")

        assert everything == sorted(("program", partner.code, "uniform") for partner in (first, second))
        assert bound(api, viewer, "shared_rule") == [("program", second.code, "uniform")]
        assert all(each["id"].startswith("prg_") for each in shown(api, admin, "shared_rule")["bindings"])

    def test_of_a_mapping_are_its_targets(self, api, admin, database):
        with database.write() as db:
            mapping = live_ruleset(db, None, mapping_document())
            earning = make_earning(db)
            make_target(db, earning.partner.id, code="store")

        assert bound(api, admin, mapping.ruleset_code) == [("target", earning.partner.code, "store")]

    def test_of_a_layout_are_the_partners_whose_manifests_name_it(self, api, admin, database):
        shared = hours_layout() | {"id": "hours", "partner": None}
        own = hours_layout() | {"id": "umbra.hours", "partner": "umbra"}
        bundle = {
            "manifest": {
                "code": "umbra",
                "name": "Umbra",
                "time_zone": "UTC",
                "layouts": ["hours"],
                "programs": [{**program_spec(), "ruleset": "umbra.accrual"}],
            },
            "layouts": [],
            "rulesets": [accrual_document("umbra.accrual")],
        }
        with database.write() as db:
            live_ruleset(db, None, shared)
            onboarding.apply(db, copy.deepcopy(bundle), dry_run=False, caller=CALLER, now=NOW)
        assert bound(api, admin, "hours") == [("layout", "umbra", "hours")]

        with database.write() as db:
            live_ruleset(db, directory.by_code(db, "umbra").id, own)

        # From now on its files are read by its own one.
        assert bound(api, admin, "umbra.hours") == [("layout", "umbra", "hours")]
        assert bound(api, admin, "hours") == []
