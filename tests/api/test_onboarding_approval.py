"""A bundle brings its rules through the same gates as a promotion: a second person, and what that person saw."""

import copy

import pytest

from chalicelib.access.scopes import Role
from chalicelib.rules import rulesets
from chalicelib.settings import settings
from tests.factories import backtests
from tests.factories.access import make_user, make_user_key
from tests.factories.partners import program_spec
from tests.factories.points import earn, make_earning
from tests.factories.rules import accrual_document

pytestmark = pytest.mark.usefixtures("data_key")


@pytest.fixture
def earning(database, data_key):
    """A partner whose version 1 has decided nothing yet."""
    with database.write() as db:
        return make_earning(db)


@pytest.fixture
def approval_required(monkeypatch, api, earning):
    """As everywhere but on a local hub, once the first version decides."""
    monkeypatch.setenv("INTERLINE_RULE_APPROVAL", "required")
    settings.cache_clear()
    yield
    monkeypatch.undo()
    settings.cache_clear()


@pytest.fixture
def keys(database) -> dict[str, str]:
    with database.write() as db:
        author = make_user(db)
        return {
            "author": make_user_key(db, user=author)[1],
            "author again": make_user_key(db, user=author)[1],
            "approver": make_user_key(db, Role.APPROVER)[1],
        }


def bundle(earning, rate: str, **changes):
    """The partner as it is, with another rate."""
    program = {**program_spec(), "name": "Uniform", "ruleset": earning.version.ruleset_code}
    manifest = {
        "code": earning.partner.code,
        "name": "Renamed",
        "time_zone": earning.partner.time_zone,
        "programs": [program],
    }
    return {"manifest": manifest, "rulesets": [accrual_document(earning.version.ruleset_code, rate=rate, **changes)]}


def apply(api, keys, earning, rate: str = "2"):
    """The action of the rule's activation."""
    path = f"/v1/partners/{earning.partner.code}/onboarding"
    applied = api.put(path, bundle(earning, rate), key=keys["author"])
    assert applied.status == 200, applied.text
    return next(step["action"] for step in applied.json["steps"] if step["kind"] == "activation")


def backtested(database, earning, number: int = 2):
    """A finished back-test of one version."""
    with database.read() as db:
        draft = rulesets.by_number(db, earning.version.ruleset_code, number)
    return backtests.run(database, earning.partner.id, draft)


def live(api, keys, earning) -> int:
    return api.get(f"/v1/rulesets/{earning.version.ruleset_code}", key=keys["author"]).json["live"]["version"]


def approve(api, keys, earning, who: str = "approver", seen=None):
    """Approve version 2 from the first day of the program on, having seen a back-test where there is one."""
    body = {"backtest_id": seen and seen.public_id, "effective_from": "2026-01-01"}
    return api.post(f"/v1/rulesets/{earning.version.ruleset_code}/versions/2/approve", body, key=keys[who])


@pytest.mark.usefixtures("approval_required")
class TestABundle:
    def test_waits_for_a_second_person_and_then_decides(self, api, keys, earning):
        assert (apply(api, keys, earning), live(api, keys, earning)) == ("awaits_approval", 1)
        assert approve(api, keys, earning, "author again").code == "own_approval"
        assert approve(api, keys, earning).status == 200
        assert (apply(api, keys, earning), live(api, keys, earning)) == ("change", 2)
        assert apply(api, keys, earning) == "unchanged"

    def test_is_held_to_the_back_test_that_was_approved(self, api, keys, earning, database):
        with database.write() as db:
            earn(db, earning)
        apply(api, keys, earning)
        assert approve(api, keys, earning, seen=backtested(database, earning)).status == 200

        assert (apply(api, keys, earning), live(api, keys, earning)) == ("change", 2)

    def test_waits_when_the_back_test_is_another_one_since(self, api, keys, earning, database):
        with database.write() as db:
            earn(db, earning)
        apply(api, keys, earning)
        assert approve(api, keys, earning, seen=backtested(database, earning)).status == 200
        with database.write() as db:
            earn(db, earning, 3)
        backtested(database, earning)

        assert (apply(api, keys, earning), live(api, keys, earning)) == ("awaits_approval", 1)

    def test_waits_when_there_is_something_to_back_test_on_since(self, api, keys, earning, database):
        apply(api, keys, earning)
        assert approve(api, keys, earning).status == 200
        with database.write() as db:
            earn(db, earning)

        assert (apply(api, keys, earning), live(api, keys, earning)) == ("awaits_approval", 1)

    def test_that_no_case_covers_is_refused_whoever_approved(self, api, keys, earning):
        wanted = bundle(earning, "2")
        wanted["rulesets"][0]["cases"] = wanted["rulesets"][0]["cases"][:1]
        path = f"/v1/partners/{earning.partner.code}/onboarding"

        refused = api.put(path, copy.deepcopy(wanted), key=keys["author"])

        assert (refused.status, refused.code) == (422, "bundle_refused")
        assert [(fault["code"], fault["pointer"]) for fault in refused.json["faults"]] == [
            ("not_covered", "/rulesets/0/when")
        ]
        assert live(api, keys, earning) == 1
