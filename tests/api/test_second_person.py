"""Author and approver are two people: no key lets one of them do both, and each says what was seen and for when."""

from datetime import date, timedelta

import pytest

from chalicelib.access.scopes import Role
from chalicelib.settings import settings
from chalicelib.storage.ids import public_id
from tests.factories import backtests, rules
from tests.factories.access import make_user, make_user_key
from tests.factories.points import earn, make_earning

pytestmark = pytest.mark.usefixtures("data_key")

READ_AND_APPROVE = ["accruals:read", "rules:approve", "rules:read"]
NOVEMBER = {"effective_from": "2026-11-01"}


@pytest.fixture
def earning(database, data_key):
    """A partner whose rule has decided nothing yet, so that nothing is to be back-tested."""
    with database.write() as db:
        return make_earning(db)


@pytest.fixture(autouse=True)
def approval_required(monkeypatch, api, earning):
    monkeypatch.setenv("INTERLINE_RULE_APPROVAL", "required")
    settings.cache_clear()
    yield
    monkeypatch.undo()
    settings.cache_clear()


@pytest.fixture
def path(earning) -> str:
    return f"/v1/rulesets/{earning.version.ruleset_code}"


@pytest.fixture
def people(database) -> dict[str, str]:
    """Keys that the hub itself gave: of two administrators and of Ana; and the ids of Ana and of Kim, an author."""
    with database.write() as db:
        ana, kim = make_user(db, Role.APPROVER), make_user(db, Role.AUTHOR)
        return {
            "admin": make_user_key(db)[1],
            "other admin": make_user_key(db)[1],
            "ana": make_user_key(db, user=ana)[1],
            "ana's id": public_id("usr", ana.id),
            "kim's id": public_id("usr", kim.id),
        }


def save(api, path, earning, key: str, rate: str = "2"):
    document = {"document": rules.accrual_document(earning.version.ruleset_code, rate=rate)}
    saved = api.post(f"{path}/versions", document, key=key)
    assert saved.status == 201, saved.text


def approve(api, path, key: str, **body):
    return api.post(f"{path}/versions/2/approve", NOVEMBER | body, key=key)


def make_key(api, by: str, user: str, scopes: list[str], name: str = "made"):
    made = api.post(
        "/v1/api-keys",
        {"name": name, "scopes": scopes, "user_id": user},
        key=by,
        headers={"Idempotency-Key": f"{name}-{by[-8:]}"},
    )
    assert made.status == 201, made.text
    return made.json


def rotate(api, by: str, key_id: str):
    rotated = api.post(f"/v1/api-keys/{key_id}/rotate", {}, key=by, headers={"Idempotency-Key": f"r-{key_id}"})
    assert rotated.status == 201, rotated.text
    return rotated.json


class TestAnAuthorWhoAdministersKeys:
    def test_cannot_approve_with_a_key_that_he_made_for_the_approver(self, api, people, path, earning):
        save(api, path, earning, people["admin"])
        made = make_key(api, people["admin"], people["ana's id"], READ_AND_APPROVE)

        refused = approve(api, path, made["key"])

        assert (refused.status, refused.code) == (403, "key_from_author")
        assert approve(api, path, people["ana"]).status == 200

    def test_cannot_approve_with_the_approvers_key_that_he_rotated(self, api, people, path, earning):
        save(api, path, earning, people["admin"])
        theirs = make_key(api, people["other admin"], people["ana's id"], READ_AND_APPROVE)
        assert approve(api, path, theirs["key"]).status == 200
        rotated = rotate(api, people["admin"], theirs["id"])

        assert approve(api, path, rotated["key"]).code == "key_from_author"

    def test_does_not_clean_a_key_by_rotating_it_in_the_approvers_name(self, api, people, path, earning):
        save(api, path, earning, people["admin"])
        made = make_key(api, people["admin"], people["ana's id"], [*READ_AND_APPROVE, "keys:rotate"])
        rotated = rotate(api, made["key"], made["id"])

        assert approve(api, path, rotated["key"]).code == "key_from_author"

    def test_does_not_hide_behind_another_administrators_key_that_he_made(self, api, people, path, earning):
        save(api, path, earning, people["admin"])
        third = api.post(
            "/v1/users", {"email": "third@example.com", "name": "Third", "role": "admin"}, key=people["admin"]
        ).json
        scopes = ["keys:admin", *READ_AND_APPROVE]
        front = make_key(api, people["admin"], third["id"], scopes)
        made = make_key(api, front["key"], people["ana's id"], READ_AND_APPROVE)

        assert approve(api, path, made["key"]).code == "key_from_author"

    def test_may_have_made_the_user_since_that_gives_no_secret(self, api, people, path, earning):
        user = api.post(
            "/v1/users", {"email": "new@example.com", "name": "New", "role": "approver"}, key=people["admin"]
        ).json
        save(api, path, earning, people["admin"])
        theirs = make_key(api, people["other admin"], user["id"], READ_AND_APPROVE)

        assert approve(api, path, theirs["key"]).status == 200


class TestAnApproverWhoAdministersKeys:
    def test_cannot_approve_what_was_written_by_a_key_that_he_made(self, api, people, path, earning):
        kims = make_key(api, people["admin"], people["kim's id"], ["rules:read", "rules:write"])
        save(api, path, earning, kims["key"])

        assert approve(api, path, people["admin"]).code == "key_given_to_author"
        assert approve(api, path, people["other admin"]).status == 200

    def test_may_have_made_the_author_a_key_since(self, api, people, path, earning, edge_clock):
        kims = make_key(api, people["other admin"], people["kim's id"], ["rules:read", "rules:write"])
        save(api, path, earning, kims["key"])
        edge_clock.now += timedelta(minutes=1)
        make_key(api, people["admin"], people["kim's id"], ["rules:read"], name="later")

        assert approve(api, path, people["admin"]).status == 200


class TestAnAdministratorWhoMadeBothKeys:
    def test_is_named_in_the_trail_since_nobody_can_tell_whose_hands_typed(self, api, people, path, earning):
        scopes = ["rules:read", "rules:write"]
        author = make_key(api, people["admin"], people["kim's id"], scopes, name="author")
        approver = make_key(api, people["admin"], people["ana's id"], READ_AND_APPROVE, name="approver")
        save(api, path, earning, author["key"])

        assert approve(api, path, approver["key"]).status == 200

        trail = api.get("/v1/audit", key=people["admin"]).json["items"]
        [entry] = [each for each in trail if each["action"] == "ruleset.approved"]
        assert entry["after"]["hands_on_both"] == [author["created_by"]]

    def test_is_nobody_where_two_administrators_made_them(self, api, people, path, earning):
        author = make_key(api, people["admin"], people["kim's id"], ["rules:read", "rules:write"], name="author")
        approver = make_key(api, people["other admin"], people["ana's id"], READ_AND_APPROVE, name="approver")
        save(api, path, earning, author["key"])

        assert approve(api, path, approver["key"]).status == 200

        trail = api.get("/v1/audit", key=people["admin"]).json["items"]
        [entry] = [each for each in trail if each["action"] == "ruleset.approved"]
        assert entry["after"]["hands_on_both"] == []


class TestTheAuthor:
    def test_is_told_so_first(self, api, people, path, earning, database):
        save(api, path, earning, people["admin"])
        with database.write() as db:
            earn(db, earning)

        assert approve(api, path, people["admin"]).code == "own_approval"
        assert approve(api, path, people["ana"]).code == "backtest_missing"

    def test_may_write_rules_without_administering_keys(self, api, people, path, earning):
        kims = make_key(api, people["admin"], people["kim's id"], ["rules:read", "rules:write"])
        save(api, path, earning, kims["key"])
        assert approve(api, path, people["ana"]).status == 200

        promoted = api.post(f"{path}/versions/2/promote", NOVEMBER, key=kims["key"])

        assert (promoted.status, promoted.json["changed"]) == (200, True)
        assert (
            api.post("/v1/api-keys", {"name": "k", "scopes": ["rules:read"]}, key=kims["key"]).code == "scope_missing"
        )


class TestWhatTheApproverSaw:
    def test_is_named(self, api, people, path, earning, database):
        with database.write() as db:
            earn(db, earning)
        save(api, path, earning, people["admin"])
        done = self.backtested(database, earning)

        unnamed = approve(api, path, people["ana"])
        assert (unnamed.status, unnamed.code) == (422, "backtest_not_named")
        assert done.public_id in unnamed.text
        assert approve(api, path, people["ana"], backtest_id=done.public_id).status == 200

    def test_may_not_be_outdated_by_a_golden_case(self, api, people, path, earning, database):
        with database.write() as db:
            earn(db, earning)
        save(api, path, earning, people["admin"])
        done = self.backtested(database, earning)
        assert api.put(f"{path}/cases/four-hours", rules.golden_case("2"), key=people["admin"]).status == 201

        outdated = approve(api, path, people["ana"], backtest_id=done.public_id)
        assert (outdated.status, outdated.code) == (422, "backtest_outdated")
        again = self.backtested(database, earning)
        assert approve(api, path, people["ana"], backtest_id=again.public_id).status == 200

    def test_may_not_be_a_month_old(self, api, people, path, earning, database, edge_clock):
        with database.write() as db:
            earn(db, earning)
        save(api, path, earning, people["admin"])
        done = self.backtested(database, earning)
        edge_clock.now += timedelta(days=31)

        assert approve(api, path, people["ana"], backtest_id=done.public_id).code == "backtest_outdated"

    def test_cannot_come_back_by_the_same_back_test_again(self, api, people, path, earning, database):
        with database.write() as db:
            earn(db, earning)
            earn(db, earning, event_date=date(2026, 9, 1))
        save(api, path, earning, people["admin"])
        day = {"first_day": date(2026, 9, 1)}
        done = self.backtested(database, earning, **day)
        assert approve(api, path, people["ana"], backtest_id=done.public_id).status == 200
        self.backtested(database, earning, minutes=1, first_day=date(2026, 10, 1))
        self.backtested(database, earning, minutes=2, **day)

        standing = api.get(f"{path}/versions/2/approval", key=people["ana"]).json
        refused = api.post(f"{path}/versions/2/promote", NOVEMBER, key=people["admin"])

        assert (standing["promotable"], standing["approval"]["changed"]) == (False, ["data", "result"])
        assert refused.code == "approval_void"

    @staticmethod
    def backtested(database, earning, *, minutes: int = 0, **selection):
        with database.read() as db:
            draft = backtests.rulesets.by_number(db, earning.version.ruleset_code, 2)
        now = backtests.NOW + timedelta(minutes=minutes)
        return backtests.run(database, earning.partner.id, draft, now=now, **selection)
