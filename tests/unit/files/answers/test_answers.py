"""Receipts that are written again: of two who write one at once, the later truth is what the sender finds."""

import threading

import pytest
from sqlalchemy import update

from chalicelib.files.answers import finishing, receipts
from chalicelib.files.models.files import inbound_file
from chalicelib.storage import objects
from tests.factories.files import Hub, hours, people, person

_TIME_TO_OVERTAKE_S = 1.5


def one_more_row_is_accepted(hub: Hub, file_id: bytes) -> None:
    """What a retry of rejected rows does to the file that they came in."""
    column = inbound_file.c
    values = {
        "rows_accepted": column.rows_accepted + 1,
        "rows_rejected": column.rows_rejected - 1,
        "receipt_revision": column.receipt_revision + 1,
    }
    with hub.database.write() as db:
        db.execute(update(inbound_file).where(column.id == file_id).values(values))


class TestTwoAnswersAtOnce:
    @pytest.mark.parametrize("overtaken_at", ["receipt", "rejects"])
    def test_leave_the_later_one(self, hub: Hub, monkeypatch: pytest.MonkeyPatch, overtaken_at: str):
        file = hub.process("hours", hours("a,E8,2026-11-02,8", "b,E9,2026-11-02,8", "c,E7,2026-11-02,8"))
        one_more_row_is_accepted(hub, file.id)
        put = objects.put
        overtaking: list[threading.Thread] = []

        def overtake() -> None:
            one_more_row_is_accepted(hub, file.id)
            finishing.answer(hub.database, file.id)

        def slow_put(bucket: str, key: str, *given, **options) -> None:
            if not overtaking and bucket == receipts.bucket() and overtaken_at in key:
                overtaking.append(threading.Thread(target=overtake))
                overtaking[0].start()
                overtaking[0].join(_TIME_TO_OVERTAKE_S)
            put(bucket, key, *given, **options)

        monkeypatch.setattr(objects, "put", slow_put)
        finishing.answer(hub.database, file.id)
        overtaking[0].join()

        receipt = hub.receipt()
        assert (receipt["revision"], receipt["rows_accepted"], receipt["rows_rejected"]) == (3, 2, 1)
        assert hub.file().receipt_written == 3

    def test_who_answers_late_tells_what_is_true_by_then(self, hub: Hub):
        file = hub.process("hours", hours("a,E9,2026-11-02,8"))
        hub.process("people", people(person("E9")), name="people.csv")

        # A handler that lost the file long ago comes to its answer only now.
        finishing.answer(hub.database, file.id)

        receipt = hub.receipt()
        assert (receipt["revision"], receipt["rows_accepted"], receipt["rows_rejected"]) == (2, 1, 0)
