"""Files that cannot be used as a whole: nothing is applied, nothing is lost, and one sentence says why."""

import gzip

import pytest
from sqlalchemy import select

from chalicelib.files.models.files import NOBODY
from chalicelib.partners import directory
from chalicelib.points.models.ledger import accrual_event
from chalicelib.settings import Settings, settings
from chalicelib.storage import objects
from tests.factories.files import CODE, HOURS_HEADER, Hub, hours, hours_layout, make_hub, notification
from tests.factories.partners import CALLER, NOW

ROW = "a,E1,2026-11-02,8"
BOM = b"\xef\xbb\xbf"


class TestQuarantine:
    @pytest.mark.parametrize(
        ("content", "code"),
        [
            (b"", "empty_file"),
            (b"\n\n", "empty_file"),
            (f"{HOURS_HEADER}\n".encode(), "no_rows"),
            (f"{HOURS_HEADER}\n#TRAILER,0,0\n".encode(), "no_rows"),
            (b"a;b;c\n1;2;3\n", "wrong_header"),
            (b"event,id,day\na,E1,2026-11-02\n", "wrong_header"),
            (f"{HOURS_HEADER},Hours\n{ROW},8\n".encode(), "wrong_header"),
            (f"{HOURS_HEADER}\na,E\xe91,2026-11-02,8\n".encode("cp1252"), "bad_encoding"),
            (hours(ROW, trailer="#TRAILER,2,8").encode(), "control_mismatch"),
            (hours(ROW, trailer="#TRAILER,1,8.5").encode(), "control_mismatch"),
            (hours(ROW, trailer="#TRAILER,one,8").encode(), "bad_trailer"),
            (hours(ROW, trailer="#TRAILER,1").encode(), "bad_trailer"),
            (hours(ROW, "#TRAILER,1,8", ROW).encode(), "rows_after_trailer"),
            (hours('a,E1,2026-11-02,"8').encode(), "quote_not_closed"),
            (hours("a,E1,2026-11-02," + "8" * 70_000).encode(), "row_too_long"),
            (hours(ROW).encode().replace(b"\n", b"\r"), "wrong_header"),
            (gzip.compress(hours(ROW).encode(), mtime=0)[:-9], "bad_gzip"),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_moves_the_file_aside_with_a_receipt(self, light_hub: Hub, content: bytes, code: str):
        file = light_hub.process("hours", content)

        assert (file.state, file.reason_code) == ("quarantined", code)
        assert light_hub.read("hub-reject", "acme/hours/file.csv") == content
        assert light_hub.keys("hub-in") == light_hub.keys("hub-archive") == []
        receipt = light_hub.receipt()
        assert (receipt["status"], receipt["reason_code"]) == ("quarantined", code)
        assert receipt["reason"].endswith(".")
        with light_hub.database.read() as db:
            assert db.execute(select(accrual_event.c.id)).all() == []

    def test_an_expanding_file_is_cut_off(self, light_hub: Hub, monkeypatch: pytest.MonkeyPatch):
        small = Settings(expanded_bytes_max=1000)
        monkeypatch.setattr("chalicelib.files.intake.opening.settings", lambda: small)

        file = light_hub.process("hours", gzip.compress(hours(*[ROW] * 1000).encode()))

        assert (file.state, file.reason_code) == ("quarantined", "expands_too_far")

    @pytest.mark.usefixtures("aws")
    def test_a_layout_that_wants_a_trailer_gets_one(self, sqlite_database):
        control = {"kind": "trailer", "required": True, "column": "hours"}
        hub = make_hub(sqlite_database, hours_layout(control=control))

        file = hub.process("hours", hours(ROW))

        assert (file.state, file.reason_code) == ("quarantined", "control_missing")

    @pytest.mark.parametrize(
        ("key", "code"),
        [
            ("acme/holidays/file.csv", "unknown_layout"),
            ("globex/hours/file.csv", "unknown_partner"),
            ("file.csv", "unknown_partner"),
            ("acme/file.csv", "bad_key"),
            ("acme/hours/2026/file.csv", "bad_key"),
        ],
    )
    def test_a_key_that_names_nothing_of_ours_is_set_aside_unread(self, light_hub: Hub, key: str, code: str):
        objects.put(settings().bucket("hub-in"), key, hours(ROW).encode())

        light_hub.handle(notification(key))

        [file] = light_hub.files()
        assert (file.state, file.reason_code) == ("quarantined", code)
        assert file.finished_at is not None
        assert (file.partner_id == NOBODY) == (code == "unknown_partner")
        assert light_hub.keys("hub-reject") == [key]
        [receipt] = light_hub.keys("hub-out")
        assert receipt.endswith("receipt_file.csv.json")

    def test_a_suspended_partners_files_are_set_aside(self, hub: Hub):
        with hub.database.write() as db:
            directory.change_status(db, hub.partner, "suspended", reason="unpaid", caller=CALLER, now=NOW)

        file = hub.process("hours", hours(ROW))

        assert (file.state, file.reason_code) == ("quarantined", "partner_not_active")

    def test_the_mended_file_is_processed_under_the_same_name(self, hub: Hub):
        hub.process("hours", hours(ROW, trailer="#TRAILER,2,8"))

        file = hub.process("hours", hours(ROW, trailer="#TRAILER,1,8"))

        assert (file.state, file.arrival_no) == ("processed", 2)
        assert hub.receipt()["status"] == "quarantined"
        assert hub.receipt("file.csv.2")["status"] == "processed"


class TestUnusualButFine:
    @pytest.mark.parametrize(
        "content",
        [
            BOM + hours(ROW).encode(),
            hours(ROW).encode().replace(b"\n", b"\r\n"),
            hours(ROW).encode() + b"\r\n\r\n  \r\n",
            hours(ROW).encode() + b"\x1a",
            hours(ROW).encode().rstrip(b"\n"),
            b"\n" + hours(ROW).encode(),
            b'"Event"," ID ","day","HOURS"\n"a","E1","2026-11-02","8"\n',
            b"hours,day,id,event\n8,2026-11-02,E1,a\n",
            b"event,id,day,hours,unknown\na,E1,2026-11-02,8,x\n",
            b'event,id,day,hours,note\na,E1,2026-11-02,8,"two\r\nlines, ""quoted"""\n',
        ],
    )
    def test_one_row_is_one_row(self, light_hub: Hub, content: bytes):
        file = light_hub.process("hours", content)

        assert (file.state, file.rows_total, file.rows_accepted) == ("processed", 1, 1)

    @pytest.mark.usefixtures("aws")
    def test_cp1252_is_read_where_it_is_declared(self, sqlite_database):
        hub = make_hub(sqlite_database, hours_layout(format={"encoding": "cp1252", "delimiter": ";"}))
        content = "event;id;day;hours;note\na;E1;2026-11-02;8;5 € für Müller\n"

        file = hub.process("hours", content.encode("cp1252"))

        assert (file.state, file.rows_accepted) == ("processed", 1)

    @pytest.mark.usefixtures("aws")
    def test_another_quote_and_a_tab_are_read_where_they_are_declared(self, sqlite_database):
        hub = make_hub(sqlite_database, hours_layout(format={"delimiter": "\t", "quote": "'"}))

        file = hub.process("hours", "event\tid\tday\thours\n'a'\tE1\t2026-11-02\t8\n")

        assert (file.state, file.rows_accepted) == ("processed", 1)

    def test_a_column_named_twice_is_named_as_its_sender_wrote_it(self, light_hub: Hub):
        light_hub.process("hours", f"Event,ID,day,Paid  Hours,hours,HOURS,PAID HOURS\n{ROW},8,8,8\n")

        assert light_hub.receipt()["reason"] == "The header names `Paid  Hours`, `hours` more than once."

    @pytest.mark.usefixtures("aws")
    def test_a_strict_header_is_as_written(self, sqlite_database):
        hub = make_hub(sqlite_database, hours_layout(format={"header": "exact"}))

        file = hub.process("hours", hours(ROW).replace("event", "Event"))

        assert file.reason_code == "wrong_header"
        assert hub.receipt()["reason"] == (
            f"The header lacks `event`; it must name the columns of layout {CODE}.hours."
        )

    @pytest.mark.parametrize(
        ("content", "helps"),
        [
            (hours(ROW).replace(",", ";").encode(), "It was read as one cell: this layout divides cells by `,`."),
            (hours(ROW).encode("utf-16"), "It begins like UTF-16: save it in the declared encoding."),
            (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500), "It begins like an Excel workbook: save it as CSV."),
        ],
        ids=["other delimiter", "utf-16", "excel"],
    )
    def test_tells_whoever_sent_another_kind_of_file_what_to_send(self, light_hub: Hub, content: bytes, helps: str):
        light_hub.process("hours", content)

        assert light_hub.receipt()["reason"].endswith(f" {helps}")
