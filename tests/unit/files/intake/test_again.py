"""The same again, in every way that S3, queues and people know: one effect."""

import gzip
import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, select

from chalicelib.files.rows import settling
from chalicelib.points.models.ledger import accrual_event, transfer
from chalicelib.settings import settings
from chalicelib.storage import objects
from tests.factories.files import Hub, hours, notification

CONTENT = hours("a,E1,2026-11-02,8", "b,E2,2026-11-02,7.5")


def events(hub: Hub) -> tuple[int, int]:
    """How many events and transfers there are."""
    with hub.database.read() as db:
        return (
            db.execute(select(func.count()).select_from(accrual_event)).scalar() or 0,
            db.execute(select(func.count()).select_from(transfer)).scalar() or 0,
        )


class TestSameFile:
    def test_the_same_content_again_is_a_duplicate(self, hub: Hub):
        first = hub.process("hours", CONTENT)

        file = hub.process("hours", CONTENT, name="copy.csv")

        assert (file.state, file.duplicate_of) == ("duplicate", first.id)
        receipt = hub.receipt("copy.csv")
        assert (receipt["duplicate_of"], receipt["duplicate_of_file"]) == (first.public_id, "file.csv")
        assert events(hub) == (2, 2)
        assert hub.keys("hub-in") == []

    def test_the_same_content_in_another_layouts_folder_is_no_duplicate(self, hub: Hub):
        hub.process("hours", CONTENT)

        file = hub.process("people", CONTENT, name="copy.csv")

        assert (file.state, file.reason_code) == ("quarantined", "wrong_header")

    def test_the_same_name_with_other_content_is_a_new_file(self, hub: Hub):
        hub.process("hours", CONTENT)

        file = hub.process("hours", hours("a,E1,2026-11-02,8", "c,E2,2026-11-02,7.5"))

        assert (file.state, file.arrival_no, file.rows_accepted, file.rows_duplicate) == ("processed", 2, 1, 1)
        assert events(hub) == (3, 3)

    @pytest.mark.parametrize("names", [("f.csv.2", "f.csv", "f.csv"), ("f.csv", "f.csv", "f.csv.2")])
    def test_each_file_has_an_answer_of_its_own_whatever_their_names(self, hub: Hub, names: tuple[str, ...]):
        for number, name in enumerate(names):
            hub.process("hours", hours(f"{number},E1,2026-11-02,8"), name=name)
            hub.process("hours", f"nonsense {number}", name=f"bad {name}")

        answers = [key for key in hub.keys("hub-out") if "receipt_" in key]
        assert (len(answers), len(hub.keys("hub-reject"))) == (6, 3)

    def test_a_file_and_its_compressed_sister_have_rejects_of_their_own(self, hub: Hub):
        hub.process("hours", hours("a,E9,2026-11-02,8"))
        hub.process("hours", gzip.compress(hours("b,E9,2026-11-02,8").encode()), name="file.csv.gz")

        plain, packed = (hub.receipt(name)["rejects"] for name in ("file.csv", "file.csv.gz"))
        assert b'"a"' in hub.read("hub-out", plain)
        assert b'"b"' in hub.read("hub-out", packed)

    def test_files_of_two_folders_have_answers_of_their_own(self, hub: Hub):
        keys = ["acme/hours/y.csv", "acme/hours/sub/y.csv", "acme/hours/sub_y.csv", "y.csv", "/y.csv", "unknown/y.csv"]
        for key in keys:
            objects.put(settings().bucket("hub-in"), key, f"nonsense {key}".encode())
            hub.handle(notification(key))

        answers = {json.loads(hub.read("hub-out", key))["object_key"]: key for key in hub.keys("hub-out")}
        assert sorted(answers) == sorted(keys)
        assert answers["acme/hours/sub/y.csv"] == "acme/hours/sub/receipt_y.csv.json"

    def test_files_of_nearly_the_same_name_have_rejects_of_their_own(self, hub: Hub):
        names = ["col", "col.csv", "col.CSV", "col.txt", "col.csv.txt"]
        for name in names:
            hub.process("hours", hours(f"{name},E9,2026-11-02,8"), name=name)

        rejects = [hub.receipt(name)["rejects"] for name in names]
        assert len(set(rejects)) == len(names)
        for name, key in zip(names, rejects, strict=True):
            assert f'"{name}","E9"'.encode() in hub.read("hub-out", key)
        assert rejects[1] == "acme/hours/rejects_col.csv"

    def test_a_key_that_is_too_long_for_more_is_answered_by_its_hash(self, light_hub: Hub):
        keys = [f"acme/hours/{folder}/{'x' * 1000}" for folder in "ab"]
        for key in keys:
            objects.put(settings().bucket("hub-in"), key, b"nonsense")
            light_hub.handle(notification(key))

        answers = light_hub.keys("hub-out")
        assert [light_hub.files()[at].reason_code for at in (0, 1)] == ["bad_key", "bad_key"]
        assert len(answers) == 2
        assert all(key.startswith("acme/receipt_") for key in answers)

    def test_a_file_that_was_refused_may_come_again_as_it_was(self, hub: Hub):
        hub.process("hours", b"nonsense", name="one.csv")

        file = hub.process("hours", b"nonsense", name="two.csv")

        assert (file.state, file.reason_code) == ("quarantined", "wrong_header")


class TestSameEvent:
    def test_the_same_event_twice_has_one_effect(self, hub: Hub):
        message = hub.drop("hours", CONTENT)

        hub.handle(message)
        hub.handle(message)

        assert len(hub.files()) == 1
        assert events(hub) == (2, 2)

    def test_two_records_in_one_message_are_two_files(self, hub: Hub):
        one = hub.drop("hours", CONTENT, name="one.csv")
        two = hub.drop("hours", hours("c,E3,2026-11-02,8"), name="two.csv")

        hub.handle({"Records": one["Records"] + two["Records"]})
        hub.drain()

        assert [file.state for file in hub.files()] == ["processed", "processed"]

    def test_five_deliveries_in_parallel_have_one_effect(self, hub: Hub):
        message = hub.drop("hours", CONTENT)

        with ThreadPoolExecutor(5) as pool:
            list(pool.map(hub.handle, [message] * 5))
        hub.drain()

        assert [file.state for file in hub.files()] == ["processed"]
        assert events(hub) == (2, 2)
        assert hub.receipt()["rows_accepted"] == 2

    def test_a_continuation_of_a_passed_slice_is_acknowledged(self, hub: Hub):
        file = hub.process("hours", CONTENT)

        hub.handle({"continue": file.public_id, "slice": 0})

        assert events(hub) == (2, 2)


class TestReplaced:
    def test_what_is_replaced_before_it_is_read_is_the_newer_file(self, hub: Hub):
        first = hub.drop("hours", hours("x,E1,2026-11-02,1"))
        hub.drop("hours", CONTENT)

        hub.handle(first)
        hub.drain()

        [file] = hub.files()
        assert (file.state, file.rows_accepted) == ("processed", 2)

    def test_what_is_replaced_while_it_waits_is_let_go(self, hub: Hub, monkeypatch: pytest.MonkeyPatch):
        message = hub.drop("hours", hours("x,E1,2026-11-02,1"))
        monkeypatch.setattr("chalicelib.files.intake.way._work", lambda *_args, **_options: None)
        hub.handle(message)
        monkeypatch.undo()
        hub.drop("hours", CONTENT)

        hub.handle({"continue": hub.file().public_id, "slice": 0})
        hub.handle(notification("acme/hours/file.csv"))
        hub.drain()

        old, new = hub.files()
        assert (old.state, old.reason_code) == ("ignored", "object_gone")
        assert (new.state, new.rows_accepted) == ("processed", 2)
        assert events(hub) == (2, 2)

    def test_a_newer_object_is_not_deleted_for_an_older_one(self, hub: Hub, monkeypatch: pytest.MonkeyPatch):
        settle = settling.settle

        def replaced_meanwhile(*arguments) -> None:
            settle(*arguments)
            hub.drop("hours", hours("new,E3,2026-11-02,1"))

        monkeypatch.setattr(settling, "settle", replaced_meanwhile)
        hub.process("hours", CONTENT)
        monkeypatch.undo()

        assert objects.head(settings().bucket("hub-in"), "acme/hours/file.csv") is not None
        hub.handle(notification("acme/hours/file.csv"))
        assert [file.rows_accepted for file in hub.files()] == [2, 1]


class TestNamesWithABlank:
    """MySQL compares texts as if padded with blanks: what only looks like a name is another name."""

    @pytest.mark.parametrize(
        ("partner", "layout", "code"), [("acme ", "hours", "unknown_partner"), ("acme", "hours ", "unknown_layout")]
    )
    def test_a_folder_with_a_blank_after_its_name_is_another_folder(
        self, hub: Hub, partner: str, layout: str, code: str
    ):
        file = hub.process(layout, CONTENT, partner=partner)

        assert (file.state, file.reason_code) == ("quarantined", code)
        assert events(hub) == (0, 0)
