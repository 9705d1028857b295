"""Orders, quotes, leads and customers after a person was erased, or after what is personal in them was let go of."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from chalicelib.documents import known
from chalicelib.documents.kinds import KINDS
from chalicelib.documents.models import document, document_draft, document_version
from chalicelib.files.register.register import load
from chalicelib.files.rows import conserving
from chalicelib.operations import erasure, retaining
from chalicelib.partners import directory
from chalicelib.partners.house import customers
from chalicelib.partners.members import erasing, members
from chalicelib.partners.models.house import customer_identity, customer_version
from tests.factories import erasure as factory
from tests.factories import partners
from tests.factories.erasure import CODE, HERS, HOUSE, LEAD, NUMBER, erase, ordered, quote
from tests.factories.partners import CALLER
from tests.factories.shared_layouts import content


def newest(hub, kind, scope, number, sender=HOUSE):
    with hub.database.read() as db:
        partner = directory.by_code(db, sender)
        return known.newest(db, partner.id, KINDS[kind], (scope, number))


def send(hub, layout, *rows, name, sender=HOUSE):
    """The outcome of each row and its code; the file's figures agree."""
    file = hub.process(layout, content(layout, *rows), name=name, partner=sender)
    with hub.database.read() as db:
        assert conserving.breaks(db, load(db, file.id)) == []
    counts = {"accepted": file.rows_accepted, "duplicate": file.rows_duplicate}
    refused = [(row.outcome, row.code) for row in hub.rows(name) if row.outcome == "rejected"]
    return {name: count for name, count in counts.items() if count}, refused


def documents_of(hub, condition):
    with hub.database.read() as db:
        return db.execute(select(func.count()).select_from(document_version).where(condition)).scalar_one()


class TestDocumentsOfAnErasedPerson:
    def test_stay_orders_of_nobody_who_could_be_named(self, hub, full):
        before = newest(hub, "order", "web", "W-1")
        assert (before.header["employee_id"], before.personal) == (NUMBER, {"ship_to_postal": "QZ9 7LK"})

        found = erase(hub, full)

        after = newest(hub, "order", "web", "W-1")
        pseudonym = erasing.pseudonym_of(full.id)
        assert found.found["documents"] == 4
        assert (after.lines, after.personal) == (before.lines, {})
        assert after.header == before.header | {"employee_id": pseudonym, "customer_no": pseudonym}
        assert newest(hub, "quote", "", "Q-1", CODE).header["customer_no"] == pseudonym
        assert newest(hub, "lead", "web", "L-1").personal == {}

    def test_leave_those_of_others_as_they_were(self, hub, full):
        places = [
            ("order", "web", "W-3", HOUSE), ("quote", "", "Q-2", CODE), ("lead", "web", "L-2", HOUSE)
        ]  # fmt: skip
        before = [newest(hub, *place) for place in places]
        assert before[0].personal == {"ship_to_postal": "D02 X285"}

        erase(hub, full)

        assert [newest(hub, *place) for place in places] == before

    def test_leave_an_employee_of_another_partner_who_has_the_same_number(self, hub, full):
        with hub.database.write() as db:
            partners.make_member(db, partners.make_partner(db, "globex"), NUMBER)
        theirs = ordered("W-9", NUMBER, partner_code="globex", ship_to_postal="D02 X285")
        assert send(hub, "orders", theirs, name="theirs.csv") == ({"accepted": 1}, [])
        before = newest(hub, "order", "web", "W-9")

        erase(hub, full)

        assert newest(hub, "order", "web", "W-9") == before
        [key] = [each for each in hub.keys("hub-archive") if hub.read("hub-archive", each).count(b"globex")]
        assert NUMBER.encode() in hub.read("hub-archive", key)

    def test_know_what_is_said_again_without_keeping_it(self, hub, full):
        erase(hub, full)

        assert send(hub, "leads", LEAD, name="again.csv") == ({"duplicate": 1}, [])
        assert send(hub, "quotes", quote("Q-1", "SF-88213"), name="q.csv", sender=CODE) == ({"duplicate": 1}, [])
        assert newest(hub, "lead", "web", "L-1").personal == {}

    def test_take_no_more_orders_of_the_number(self, hub, full):
        erase(hub, full)

        assert send(hub, "orders", ordered("W-5", NUMBER), ordered("W-6", "E1"), name="more.csv") == (
            {"accepted": 1},
            [("rejected", "member_erased")],
        )
        assert newest(hub, "order", "web", "W-5") is None

    def test_take_orders_of_whoever_is_hired_later_under_the_number(self, hub, full):
        erase(hub, full)
        hired = (hub.clock() + timedelta(days=1)).date()
        with hub.database.write() as db:
            row = partners.roster_row(NUMBER, hire_date=hired, effective_date=hired)
            assert partners.apply_rows(db, hub.partner, [row]) == ["accepted"]

        assert send(hub, "orders", ordered("W-5", NUMBER), name="more.csv") == ({"accepted": 1}, [])

    def test_are_found_in_slices_of_one(self, hub, full, monkeypatch):
        monkeypatch.setattr(erasure, "_DOCUMENTS_MAX", 1)

        assert erase(hub, full).found["documents"] == 4
        assert factory.named(hub.database) == set()

    def test_wait_for_a_file_of_the_retailer_that_is_in_work(self, hub, full):
        with hub.database.write() as db:
            erasure.request(db, full.id, reason="asked for it", caller=CALLER, now=hub.clock())
        with hub.database.read() as db:
            house = directory.by_code(db, HOUSE)
            assert erasure.files.unfinished(db, [house.id], until=hub.clock()) is False
            [file] = [each for each in hub.files() if each.name == "orders.csv"]
        with hub.database.write() as db:
            db.execute(erasure.files.inbound_file.update().values(finished_at=None).where(_is(file)))
        erasure.run(hub.database, clock=hub.clock)
        with hub.database.read() as db:
            waiting = erasure.of_member(db, full.id)
        assert (waiting.state, waiting.stage) == ("running", "house")

        with hub.database.write() as db:
            db.execute(erasure.files.inbound_file.update().values(finished_at=file.finished_at).where(_is(file)))
        assert erase(hub, full).state == "done"


def _is(file):
    return erasure.files.inbound_file.c.id == file.id


class TestTheCustomerOfAnErasedPerson:
    def test_keeps_no_number_of_any_system(self, hub, full):
        erase(hub, full)

        with hub.database.read() as db:
            numbers = db.execute(select(customer_identity.c.system, customer_identity.c.external_id)).all()
            said = db.execute(select(customer_version.c.content).where(customer_version.c.source == "sfcc")).scalars()
            contents = [json.loads(text) for text in said]
            [cus] = customers.of_members(db, [full.id]).values()
            shown = customers.by_id(db, cus)
        wanted = {(system, erasing.digest_of(system, number)) for system, number in
                  (("sfcc", "SF-88213"), ("salesforce", "003Q7741"))}  # fmt: skip
        assert wanted <= {tuple(each) for each in numbers}
        assert ("sfcc", "0001") in {tuple(each) for each in numbers}
        assert {each["employee_id"] for each in contents} == {None, erasing.pseudonym_of(full.id)}
        assert shown.member_id == full.id
        assert {"email", "first_name", "last_name"}.isdisjoint(shown.fields)

    @pytest.mark.parametrize(
        "row",
        [
            {},
            {"employee_id": "", "partner_code": ""},
            {"customer_no": "SF-1", "employee_id": "", "partner_code": ""},
            {"customer_no": "SF-1", "salesforce_id": ""},
            {"source": "salesforce", "customer_no": "003Q7741", "salesforce_id": "", "employee_id": ""},
        ],
        ids=["as before", "its number", "the other system's number", "the employee", "as that system says it"],
    )
    def test_does_not_come_back(self, hub, full, row):
        erase(hub, full)
        later = HERS | {"last_modified": "2026-11-25T14:05:00Z"} | row

        assert send(hub, "customers", later, name="later.csv") == ({}, [("rejected", "member_erased")])
        with hub.database.read() as db:
            assert customers.by_email(db, factory.MAIL) == []

    def test_is_no_obstacle_to_others(self, hub, full):
        erase(hub, full)
        other = factory.THEIRS | {"customer_no": "0002", "email": "new@example.com"}

        assert send(hub, "customers", other, name="later.csv") == ({"accepted": 1}, [])


class TestLettingGo:
    @pytest.mark.usefixtures("full")
    def test_leaves_documents_without_what_is_personal(self, hub):
        two_years = datetime.now(UTC) + timedelta(days=800)
        before = newest(hub, "order", "web", "W-3")
        with hub.database.read() as db:
            found = {policy.of.name: count for policy, count in retaining.preview(db, two_years)}
        # W-1, W-3 and two leads; W-2 is not whole.
        assert found["document_persons"] == 5

        assert retaining.run(hub.database, now=two_years)["document_persons"] == 5

        after = newest(hub, "order", "web", "W-3")
        assert (after.header, after.lines, after.personal) == (before.header, before.lines, {})
        assert documents_of(hub, document_version.c.personal.is_not(None)) == 0
        leads = select(document.c.id).where(document.c.kind == "lead")
        kept = document_version.c.contact_index.is_not(None)
        assert documents_of(hub, kept & document_version.c.document_id.in_(leads)) == 0
        with hub.database.read() as db:
            assert db.execute(select(document_draft.c.personal)).scalars().all() == [None] * 7

    def test_still_finds_the_orders_of_who_is_erased_later(self, hub, full):
        retaining.run(hub.database, now=datetime.now(UTC) + timedelta(days=800))

        erase(hub, full)

        assert newest(hub, "order", "web", "W-1").header["employee_id"] == erasing.pseudonym_of(full.id)

    def test_leaves_young_ones_alone(self, hub, full):
        assert retaining.run(hub.database, now=datetime.now(UTC) + timedelta(days=700))["document_persons"] == 0
        assert newest(hub, "lead", "web", "L-1").personal["email"] == factory.MAIL
        with hub.database.read() as db:
            assert members.by_ids(db, [full.id])[full.id].employee_id == NUMBER
