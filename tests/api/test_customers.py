"""/v1/customers: what Salesforce and the store say, and under which numbers systems know a person."""

from typing import Any

import pytest

from chalicelib.access.scopes import ROLE_SCOPES, Role, Scope
from chalicelib.storage.engine import Database
from tests.factories.access import make_user_key
from tests.factories.gateway import Api
from tests.factories.partners import make_member, make_partner

ADA: dict[str, Any] = {
    "source": "sfcc",
    "customer_no": "0001",
    "email": "ada@example.com",
    "last_name": "Byron",
    "consent_marketing": True,
    "last_modified": "2026-11-19T14:05:00Z",
}


@pytest.fixture
def hub_key(database: Database) -> str:
    """A key of a user of the whole hub."""
    with database.write() as db:
        return make_user_key(db)[1]


class TestPost:
    def test_makes_a_customer_once(self, api: Api, hub_key: str):
        first = api.post("/v1/customers", key=hub_key, body=ADA)
        again = api.post("/v1/customers", key=hub_key, body=ADA)

        assert (first.status, first.json["outcome"]) == (201, "accepted")
        assert (again.status, again.json["outcome"], again.json["id"]) == (200, "duplicate", first.json["id"])
        assert first.json["identities"] == {"sfcc": "0001"}
        assert first.json["fields"]["consent_marketing"] == {
            "value": "true",
            "source": "sfcc",
            "changed_at": "2026-11-19T14:05:00Z",
        }

    def test_ignores_an_older_statement(self, api: Api, hub_key: str):
        api.post("/v1/customers", key=hub_key, body=ADA)

        late = ADA | {"last_name": "Old", "last_modified": "2026-11-19T14:04:00Z"}
        answer = api.post("/v1/customers", key=hub_key, body=late)

        assert (answer.status, answer.json["outcome"]) == (200, "ignored")
        assert answer.json["fields"]["last_name"]["value"] == "Byron"

    def test_is_refused_with_the_place(self, api: Api, hub_key: str):
        answer = api.post("/v1/customers", key=hub_key, body=ADA | {"employee_id": "E1"})

        assert (answer.status, answer.code) == (422, "missing_value")
        assert [fault["pointer"] for fault in answer.json["faults"]] == ["/partner_code"]


class TestGet:
    def test_masks_what_is_personal_without_the_scope(self, api: Api, database: Database, hub_key: str):
        made = api.post("/v1/customers", key=hub_key, body=ADA).json["id"]
        with database.write() as db:
            _, blind = make_user_key(db, scopes=ROLE_SCOPES[Role.ADMIN] - {Scope.MEMBERS_PERSONAL})

        fields = api.get(f"/v1/customers/{made}", key=blind).json["fields"]

        assert {name: field["value"] for name, field in fields.items()} == {
            "email": "***",
            "last_name": "***",
            "consent_marketing": "true",
        }

    def test_shows_a_partners_administrator_only_its_own(self, api: Api, database: Database, hub_key: str):
        with database.write() as db:
            acme = make_partner(db, "acme")
            make_member(db, acme, "E1")
            _, key = make_user_key(db, partner_id=acme.id)
        nobodys = api.post("/v1/customers", key=hub_key, body=ADA).json["id"]
        employee = ADA | {"customer_no": "0002", "partner_code": "acme", "employee_id": "E1"}
        own = api.post("/v1/customers", key=hub_key, body=employee).json

        assert own["member_id"] is not None
        assert api.get(f"/v1/customers/{own['id']}", key=key).status == 200
        assert api.get(f"/v1/customers/{nobodys}", key=key).status == 404


class TestIdentities:
    def test_are_linked_and_changed(self, api: Api, hub_key: str):
        made = api.post("/v1/customers", key=hub_key, body=ADA).json["id"]
        for number in ("0000100234", "0000100234", "0000100235"):
            answer = api.put(f"/v1/customers/{made}/identities/sap", key=hub_key, body={"external_id": number})

        assert answer.json["identities"] == {"sfcc": "0001", "sap": "0000100235"}

    def test_are_of_one_customer_each(self, api: Api, hub_key: str):
        one = api.post("/v1/customers", key=hub_key, body=ADA).json["id"]
        other = api.post("/v1/customers", key=hub_key, body=ADA | {"customer_no": "0002"}).json["id"]
        api.put(f"/v1/customers/{one}/identities/sap", key=hub_key, body={"external_id": "1"})

        answer = api.put(f"/v1/customers/{other}/identities/sap", key=hub_key, body={"external_id": "1"})

        assert (answer.status, answer.code) == (409, "identity_taken")

    def test_are_of_systems_that_the_hub_knows(self, api: Api, hub_key: str):
        made = api.post("/v1/customers", key=hub_key, body=ADA).json["id"]

        answer = api.put(f"/v1/customers/{made}/identities/fax", key=hub_key, body={"external_id": "1"})

        assert (answer.status, answer.code) == (422, "unknown_system")
