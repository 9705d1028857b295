"""Documents of the books over the API, and what SAP and NetSuite answer to them."""

import pytest

from chalicelib.access.scopes import Role
from chalicelib.partners.directory import Partner
from chalicelib.points.finance import settling
from chalicelib.storage.ids import new_id, public_id
from tests.factories import points
from tests.factories.access import make_partner_key, make_user_key
from tests.factories.finance import VALUE, make_posting, settled_by, with_terms
from tests.factories.partners import make_partner
from tests.factories.points import CALLER, NOW

MONTHS = ["2026-08", "2026-09"]


@pytest.fixture
def partner(database, data_key) -> Partner:
    with database.write() as db:
        return make_partner(db)


@pytest.fixture
def posted(database, partner) -> str:
    """A document of a settlement; its id."""
    with database.write() as db:
        return public_id("pst", make_posting(db, partner, new_id(), minor=12345))


@pytest.fixture
def key(database) -> str:
    with database.write() as db:
        return make_user_key(db, Role.OPERATOR)[1]


@pytest.fixture
def answer(api, key, posted):
    """Has SAP post the document at ten past two, or says it otherwise."""
    said = {
        "system": "sap",
        "company_code": "1000",
        "status": "POSTED",
        "doc_no": "1900004711",
        "fiscal_year": 2026,
        "posted_at": "2026-11-20T02:10:00Z",
    }
    return lambda **more: api.post(f"/v1/erp/postings/{posted}/ack", said | more, key=key)


def listed(api, key, **params):
    return [each["id"] for each in api.get("/v1/erp/postings", key=key, params=params).json["items"]]


class TestPostings:
    def test_are_listed_and_shown_with_their_lines(self, api, key, partner, posted):
        [found] = api.get("/v1/erp/postings", key=key, params={"period": "2026-09"}).json["items"]
        shown = api.get(f"/v1/erp/postings/{posted}", key=key).json

        assert (found["id"], found["acknowledgements"]) == (posted, [])
        assert shown["posting"] == found
        assert [(each["dr_cr"], each["amount"]) for each in shown["document"]["lines"]] == [
            ("D", "123.45"),
            ("C", "123.45"),
        ]
        assert listed(api, key, company_code="2000") == listed(api, key, period="2026-10") == []
        assert listed(api, key, partner_id=partner.code, settlement_id=found["settlement_id"]) == [posted]

    def test_are_nobody_elses(self, api, database, posted):
        with database.write() as db:
            other = make_partner_key(db, make_partner(db).id)[1]

        assert listed(api, other) == []
        assert api.get(f"/v1/erp/postings/{posted}", key=other).status == 404

    def test_are_not_a_partners_to_answer(self, api, database, partner, posted):
        with database.write() as db:
            own = make_partner_key(db, partner.id)[1]

        assert api.post(f"/v1/erp/postings/{posted}/ack", {}, key=own).code == "scope_missing"


class TestSettlements:
    def test_are_listed_newest_first_and_narrowed(self, api, database, key):
        with database.write() as db:
            made = points.make_earning(db)
            settled_by(db, with_terms(db, made, value=VALUE))
            settled = [settling.settle(db, made.partner, month, caller=CALLER, now=NOW).made for month in MONTHS]
        shown = [public_id("stl", each.id) for each in settled if each is not None]

        def found(**params):
            return [each["id"] for each in api.get("/v1/settlements", key=key, params=params).json["items"]]

        assert found() == found(partner_id=made.partner.code) == shown[::-1]
        assert found(period=MONTHS[0]) == shown[:1]
        first = api.get("/v1/settlements", key=key, params={"limit": 1}).json
        after = api.get("/v1/settlements", key=key, params={"limit": 1, "cursor": first["next_cursor"]}).json
        assert [each["items"][0]["id"] for each in (first, after)] == shown[::-1]


class TestAnswers:
    def test_are_shown_with_the_document(self, api, key, posted, answer):
        assert listed(api, key, status="unanswered") == [posted]
        told = answer()
        assert (told.status, told.json["outcome"]) == (200, "accepted")
        [said] = told.json["posting"]["acknowledgements"]
        assert (said["system"], said["status"], said["doc_no"], said["fiscal_year"]) == (
            "sap",
            "POSTED",
            "1900004711",
            2026,
        )
        assert listed(api, key, status="posted") == [posted]
        assert listed(api, key, status="unanswered") == listed(api, key, status="rejected") == []

    def test_count_once(self, answer):
        first = answer()
        again = answer()

        assert (again.status, again.json["outcome"]) == (200, "duplicate")
        assert again.json["posting"] == first.json["posting"]

    def test_the_latest_one_holds(self, api, key, posted, answer):
        answer(status="REJECTED", doc_no=None, message="The period is closed.", posted_at="2026-11-20T02:00:00Z")
        assert listed(api, key, status="rejected") == [posted]
        answer()

        assert listed(api, key, status="rejected") == []
        assert listed(api, key, status="posted") == [posted]

    def test_of_another_system_stand_beside_it(self, api, key, posted, answer):
        answer()
        both = answer(system="netsuite", status="REJECTED", doc_no=None, message="No such customer.").json

        assert [(each["system"], each["status"]) for each in both["posting"]["acknowledgements"]] == [
            ("netsuite", "REJECTED"),
            ("sap", "POSTED"),
        ]
        assert listed(api, key, status="posted") == listed(api, key, status="rejected") == [posted]

    def test_are_refused_by_name(self, answer):
        assert answer(company_code="2000").code == "other_company"
        assert answer(doc_no=None).code == "missing_value"
        answer()
        twice = answer(doc_no="1900004712", posted_at="2026-11-20T03:00:00Z")
        assert (twice.status, twice.code) == (422, "posted_twice")
