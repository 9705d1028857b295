"""The ledger, lineage and files go on after a person was erased."""

import hashlib
import importlib
import json
from datetime import timedelta

import pytest
from sqlalchemy import func, insert, select, update

from chalicelib.deliveries.models import delivery, delivery_attempt
from chalicelib.files.mending import resubmitting
from chalicelib.files.reprocessing import differences
from chalicelib.operations import erasure
from chalicelib.partners.members import erasing, members
from chalicelib.points.earning import lineage
from chalicelib.points.ledger import history
from chalicelib.points.models.ledger import accrual_event
from chalicelib.points.proof import checkpoints, checks, verifying
from chalicelib.points.spending import holds, redemptions, refunds
from chalicelib.points.spending.holds import NewHold
from chalicelib.points.spending.refunds import Wanted
from chalicelib.storage import engine
from chalicelib.storage.ids import new_id, public_id
from chalicelib.storage.tables import metadata
from chalicelib.web import authentication
from tests.factories import partners
from tests.factories.access import make_user_key
from tests.factories.deliveries import make_target
from tests.factories.erasure import HEADER, NUMBER, PERSON, erase, named
from tests.factories.files import hours
from tests.factories.gateway import Api
from tests.factories.partners import CALLER


class TestTheLedgerAfterwards:
    def test_goes_on_with_the_pseudonym(self, hub, full):
        with hub.database.write() as db:
            held, _ = holds.place(
                db, hub.program, NewHold(full.id, 500, "basket", "order-1"), caller=CALLER, now=hub.clock()
            )
        erase(hub, full)

        with hub.database.write() as db:
            captured, _ = redemptions.capture(
                db, hub.program, held.id, amount_minor=None, reference="shipment", caller=CALLER, now=hub.clock()
            )
            line = redemptions.lines_of(db, captured.id)[0].line
            refunds.give_back(
                db, hub.program, captured.id, [Wanted(line)], reference="back", caller=CALLER, now=hub.clock()
            )
            assert checks.check(db) == []
            [ref] = members.by_ids(db, [full.id]).values()
        assert ref.employee_id == f"erased-{public_id('mbr', full.id).removeprefix('mbr_')}"

    def test_still_proves_what_was_decided_and_chained(self, hub, full):
        with hub.database.read() as db:
            [entry] = history.entries(db, full.id, program_id=None, before_seq=None, limit=5)
            before = lineage.of(db, entry.id, recompute=True).decided
        checkpoints.run(hub.database, now=hub.clock() + timedelta(hours=1))
        erase(hub, full)

        with hub.database.read() as db:
            after = lineage.of(db, entry.id, recompute=True).decided
            assert verifying.verify_chain(db).faults == ()
        assert after.agrees
        assert after.trace == before.trace
        assert after.facts["event"] == {**before.facts["event"], "employee_id": erasing.pseudonym_of(full.id)}
        with hub.database.write() as db:
            other = func.replace(accrual_event.c.facts, '"quantity":"8', '"quantity":"9')
            db.execute(update(accrual_event).values(facts=other))
            assert {fault.columns for fault in verifying.verify_chain(db).faults} == {("facts",)}

    def test_refuses_by_name_what_comes_for_the_number(self, hub, full):
        erase(hub, full)

        hub.process("hours", hours(f"new,{NUMBER},2026-11-05,8"), name="later.csv")
        hub.process("people", f"{HEADER}\n{PERSON.replace('11-01', '11-09')}\n", name="later-roster.csv")

        assert [row.code for row in hub.rows("later.csv")] == ["member_erased"]
        assert [row.code for row in hub.rows("later-roster.csv")] == ["member_erased"]
        with hub.database.read() as db:
            assert members.by_employee(db, hub.partner.id, [NUMBER]) == {}

    def test_takes_whoever_is_hired_later_under_the_same_number(self, hub, full):
        erase(hub, full)
        hired = (hub.clock() + timedelta(days=1)).date()

        with hub.database.write() as db:
            row = partners.roster_row(NUMBER, hire_date=hired, effective_date=hired)
            assert partners.apply_rows(db, hub.partner, [row]) == ["accepted"]
            assert members.by_employee(db, hub.partner.id, [NUMBER])[NUMBER].id != full.id

    def test_does_not_bring_the_rows_back_that_were_rejected(self, hub, full):
        erase(hub, full)
        file = hub.file("dirty.csv")

        with hub.database.write() as db:
            tried = resubmitting.resubmit(db, file.id, [1, 2, 4], caller=CALLER, now=hub.clock()).tried
        assert {row.outcome for row in tried} == {"ignored"}


def test_what_was_sent_about_the_member_is_forgotten(hub, full):
    with hub.database.write() as db:
        make_target(db, hub.partner.id)
        holds.place(db, hub.program, NewHold(full.id, 100, "basket", "order-1"), caller=CALLER, now=hub.clock())
        sent = db.execute(select(delivery)).one()
        row = {"id": new_id(), "partner_id": sent.partner_id, "delivery_id": sent.id, "attempt": 1}
        given = {"started_at": hub.clock(), "request": json.dumps({"customerNo": "SF-88213"})}
        db.execute(insert(delivery_attempt), row | given)
    assert "delivery_attempt.request" in named(hub.database)

    erase(hub, full)

    assert named(hub.database) == set()


def test_the_tables_that_hold_what_was_said_are_those_that_are_erased():
    """A new table with sealed personal fields must be thought of here."""
    sealed = {
        f"{table.name}.{column.name}"
        for table in metadata.tables.values()
        for column in table.columns
        if column.name in {"personal", "raw", "cells", "body", "sought"}
    }
    assert sealed == {
        "customer_version.personal",
        "document_draft.personal",
        "document_version.personal",
        "file_row.raw",
        "file_row_fix.cells",
        "idempotency_record.body",
        "member.personal",
        "member_erasure.sought",
        "member_history.personal",
    }


def test_reading_a_file_again_changes_nothing_about_erased_rows(hub, full):
    file = hub.file("hours.csv")
    erase(hub, full)

    with hub.database.write() as db:
        compared = differences.compare(db, file, hub.partner, "latest", now=hub.clock())

    assert (compared.rows, compared.differing) == (2, 0)
    assert [then == now for then, now in compared.points_minor.values()] == [True]


class TestTheEndpoint:
    @pytest.fixture
    def api(self, hub, monkeypatch):
        app = importlib.import_module("app")
        monkeypatch.setattr(engine, "database", lambda: hub.database)
        authentication.forget()
        yield Api(app.app)
        authentication.forget()

    def test_answers_how_far_it_has_come_and_lineage_proves_the_erased_row(self, hub, full, api):
        with hub.database.write() as db:
            _, key = make_user_key(db)
            entry = history.entries(db, full.id, program_id=None, before_seq=None, limit=1)[0]
        path = f"/v1/members/{public_id('mbr', full.id)}/erase"
        lineage_path = f"/v1/ledger/entries/{public_id('trf', entry.id)}/lineage"
        before = api.get(lineage_path, key=key).json["decided"]["source"]

        first = api.post(path, {"reason": "asked for it"}, key=key)
        erasure.run(hub.database, clock=hub.clock)
        second = api.post(path, {"reason": "asked for it"}, key=key)

        assert (first.status, first.json["state"]) == (202, "running")
        assert (second.status, second.json["state"]) == (200, "done")
        assert before["erased"] is None
        after = api.get(lineage_path, params={"recompute": "true"}, key=key).json["decided"]
        assert after["source"]["raw"] is None
        line = hashlib.sha256(f"{before['raw']}\n".encode()).hexdigest()
        assert after["source"]["erased"] == {"sha256": line, "signed": True}
        assert after["agrees"] is True
        shown = api.get(f"/v1/members/{public_id('mbr', full.id)}", key=key).json
        assert shown["personal"] == dict.fromkeys(shown["personal"])
