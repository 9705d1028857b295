"""A person who is erased is found nowhere any more, and files stay what they were about everybody else."""

import hashlib

import pytest
from sqlalchemy import select

from chalicelib.access.rounds import SomeFailed
from chalicelib.errors import NotFound
from chalicelib.files.formats import archive, redacting
from chalicelib.files.intake import arrivals
from chalicelib.operations import erasure
from chalicelib.points.models.ledger import accrual_event
from chalicelib.rules.layouts import Format
from chalicelib.settings import settings
from chalicelib.storage import objects
from chalicelib.storage.ids import new_id
from tests.factories.erasure import HOUSE, NUMBER, PERSON, erase, everything, named
from tests.factories.files import CODE, hours, notification
from tests.factories.partners import CALLER


class TestErasing:
    def test_leaves_the_person_named_nowhere(self, hub, full):
        before = named(hub.database)
        # The test looks where it should.
        assert {"member.personal", "file_row.raw", "file_row_fix.cells", "idempotency_record.body"} <= before
        assert {f"{CODE}/exports/balances.csv", f"{CODE}/hours/rejects_dirty.csv"} <= before
        assert any(place.endswith(".original") for place in before)
        assert {"document_version.personal", "document_version.content", "document_draft.personal"} <= before
        assert {"document_draft.header", "customer_version.content", "customer_identity.external_id"} <= before
        assert {f"{HOUSE}/customers/rejects_customers.csv", f"{HOUSE}/orders/rejects_orders.csv"} <= before

        found = erase(hub, full)

        assert named(hub.database) == set()
        assert found.state == "done"
        assert found.found["lines"] == 15
        assert found.found["rows"] == 5
        assert (found.found["answers"], found.found["refused"], found.found["sent"]) == (1, 2, 1)
        assert (found.found["documents"], found.found["customers"]) == (4, 1)

    def test_leaves_everybody_else_as_they_were(self, hub, full):
        kept = {"Ada", "Byron", "ada@example.com", "Bob", "Miller", "Dolores"}
        kept |= {"ada.lovelace@example.com", "Lovelace", "D02 X285", "Daly", "niamh@example.com", "555-0100"}
        erase(hub, full)

        text = b"\n".join(content for _, content in everything(hub.database)).decode("utf-8", "replace")
        assert {name for name in kept if name not in text} == set()
        assert b"E1,uniform,5.00\n" in hub.read("hub-out", f"{CODE}/exports/balances.csv")
        assert b",uniform,7741.00\n" in hub.read("hub-out", f"{CODE}/exports/balances.csv")

    def test_keeps_each_archived_row_where_it_was(self, hub, full):
        file = hub.file("roster.csv")
        before = hub.read("hub-archive", archive.key_of(CODE, file.sha256))
        erase(hub, full)

        after = hub.read("hub-archive", archive.key_of(CODE, file.sha256))
        assert len(after) == len(before)
        assert after[: before.index(PERSON.encode())] == before[: before.index(PERSON.encode())]
        erased = after[before.index(PERSON.encode()) :][: len(PERSON)]
        assert redacting.is_erased(erased, Format())
        assert after.count(b",") == before.count(b",")

    def test_keeps_the_hash_of_each_line_and_of_the_file_in_a_signed_record(self, hub, full):
        file = hub.file("hours.csv")
        erase(hub, full)

        record, signed = redacting.read_record(CODE, file.sha256)
        line = f"a,{NUMBER},2026-11-02,8\n".encode()
        assert signed
        assert record.file_sha256 == file.sha256.hex()
        assert [each.sha256 for each in record.lines] == [hashlib.sha256(line).hexdigest()]
        with hub.database.read() as db:
            event = db.execute(select(accrual_event).where(accrual_event.c.member_id == full.id)).one()
        assert record.line_at(event.byte_offset).row_no == event.row_no == 1

    def test_a_record_that_was_changed_is_not_signed_any_more(self, hub, full):
        file = hub.file("hours.csv")
        erase(hub, full)
        key = redacting.record_key(CODE, file.sha256)
        forged = hub.read("hub-archive", key).replace(b'"row_no": 1', b'"row_no": 2')
        objects.put(settings().bucket("hub-archive"), key, forged)

        assert redacting.read_record(CODE, file.sha256)[1] is False

    def test_again_changes_nothing_more(self, hub, full):
        first = erase(hub, full)
        objects_before = sorted((place, content) for place, content in everything(hub.database))

        assert erase(hub, full) == first
        assert sorted((place, content) for place, content in everything(hub.database)) == objects_before

    @pytest.mark.parametrize("slices", [1, 2, 3, 5, 8])
    def test_goes_on_where_it_died(self, hub, full, slices, monkeypatch):
        with hub.database.write() as db:
            erasure.request(db, full.id, reason="asked for it", caller=CALLER, now=hub.clock())
        move, left = erasure._move, [slices]

        def dying(db, **given):
            left[0] -= 1
            if not left[0]:
                raise RuntimeError("the power went")
            return move(db, **given)

        monkeypatch.setattr(erasure, "_move", dying)
        with pytest.raises(SomeFailed):
            erasure.run(hub.database, clock=hub.clock)
        monkeypatch.undo()

        assert erase(hub, full).state == "done"
        assert named(hub.database) == set()

    def test_waits_for_a_file_that_is_in_work(self, hub, full):
        hub.drop("hours", hours(f"z,{NUMBER},2026-11-04,8"), name="late.csv")
        bucket = settings().bucket("hub-in")
        arrivals.register_object(hub.database, bucket, objects.head(bucket, f"{CODE}/hours/late.csv"), now=hub.clock())

        assert erase(hub, full).state == "running"

        hub.handle(notification(f"{CODE}/hours/late.csv"))
        hub.drain()
        erasure.run(hub.database, clock=hub.clock)
        assert named(hub.database) == set()

    def test_of_nobody_is_refused(self, hub):
        with pytest.raises(NotFound), hub.database.write() as db:
            erasure.request(db, new_id(), reason="x", caller=CALLER, now=hub.clock())
