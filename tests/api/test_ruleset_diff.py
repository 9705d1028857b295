"""What a version says in plain words, and what changed between two of them."""

import pytest

from chalicelib.rules import rulesets
from chalicelib.storage.ids import public_id
from tests.factories.access import make_user_key
from tests.factories.rules import AUTHOR, LONG_AGO, accrual_document, live_ruleset

ACME = b"acme" * 4
OTHER = b"othr" * 4
DIFF = "/v1/rulesets/acme.accrual/diff"
VERSION = "/v1/rulesets/acme.accrual/versions/1"


@pytest.fixture
def admin(database) -> str:
    with database.write() as db:
        return make_user_key(db)[1]


@pytest.fixture
def three(database) -> None:
    """Version 1 decides; 2 and 3 are drafts."""
    with database.write() as db:
        live_ruleset(db, ACME, accrual_document(rate="1.5"))
        for rate in ("2", "2.5"):
            rulesets.save(db, accrual_document(rate=rate), partner_id=ACME, caller=AUTHOR, now=LONG_AGO)


@pytest.mark.usefixtures("three")
class TestDiff:
    def test_is_of_what_decides_and_the_latest(self, api, admin):
        found = api.get(DIFF, key=admin).json

        assert (found["ruleset"], found["from_version"], found["to_version"]) == ("acme.accrual", 1, 3)
        assert any("1.5" in change["what"] and "2.5" in change["what"] for change in found["changes"])

    def test_names_the_place_and_what_stood_and_stands_there(self, api, admin):
        [change, *_] = api.get(DIFF, key=admin, params={"from_version": 2, "to_version": 3}).json["changes"]

        assert change["kind"] == "output"
        assert change["what"] == "output points: quantity × 2 → quantity × 2.5"
        assert change["pointer_before"] == change["pointer_after"]
        assert change["pointer_after"].startswith("/outputs/points/expr")
        assert (str(change["before"]), change["after"]) == ("2", "2.5")

    def test_of_a_version_and_itself_is_empty(self, api, admin):
        assert api.get(DIFF, key=admin, params={"from_version": 2, "to_version": 2}).json["changes"] == []

    def test_of_a_version_that_there_is_not_is_not_found(self, api, admin):
        assert api.get(DIFF, key=admin, params={"to_version": 9}).status == 404
        assert api.get(DIFF, key=admin, params={"from_version": 0}).status == 400

    def test_a_first_version_that_never_decided_is_all_new(self, api, admin, database):
        with database.write() as db:
            rulesets.save(db, accrual_document("other.accrual"), partner_id=OTHER, caller=AUTHOR, now=LONG_AGO)

        found = api.get("/v1/rulesets/other.accrual/diff", key=admin).json

        assert (found["from_version"], found["to_version"]) == (None, 1)
        assert "new condition: status is “active”" in [change["what"] for change in found["changes"]]

    def test_of_another_partner_is_not_found(self, api, database):
        with database.write() as db:
            key = make_user_key(db, partner_id=OTHER)[1]

        assert api.get(DIFF, key=key).status == 404


@pytest.mark.usefixtures("three")
class TestRendering:
    def test_a_version_is_shown_in_plain_words(self, api, admin):
        found = api.get(VERSION, key=admin).json

        assert found["rendering"].startswith("# acme.accrual, version 1\n")
        assert "It applies when status is “active”." in found["rendering"]
        assert "## Coverage" in found["rendering"]
        assert found["partner_id"] == public_id("par", ACME)

    @pytest.mark.parametrize("asked", [{"params": {"format": "markdown"}}, {"headers": {"Accept": "text/markdown"}}])
    def test_is_given_as_markdown_to_who_asks_for_it(self, api, admin, asked):
        answer = api.get(VERSION, key=admin, **asked)

        assert answer.headers["Content-Type"].startswith("text/markdown")
        assert answer.text == api.get(VERSION, key=admin).json["rendering"]

    def test_json_stays_json_where_the_format_says_so(self, api, admin):
        asked = {"params": {"format": "json"}, "headers": {"Accept": "text/markdown"}}
        assert api.get(VERSION, key=admin, **asked).json["version"] == 1
