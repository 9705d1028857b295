from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest

from chalicelib.errors import InvalidInput, Unavailable
from chalicelib.storage import aws as aws_clients
from cli import files
from cli.client import HubClient
from cli.files import Drop, Finished, Inbox, _renamed, receipt_list, receipts_table, rejects_table, sidecars
from cli.target import s3_options
from tests.unit.cli.answers import Answers
from tests.unit.cli.shown import shown

RECEIPT = {
    "object_key": "acme/pay/one.csv",
    "status": "processed",
    "reason": None,
    "rows_total": 10,
    "rows_accepted": 6,
    "rows_rejected": 1,
    "rows_duplicate": 2,
    "rows_ignored": 1,
    "warnings": [],
    "programs": [{"program_code": "uniform", "points_posted": "12.50"}],
}


def finished(state: str = "processed", rejected: int = 0) -> Finished:
    return Finished({"state": state, "rows": {"rejected": rejected}}, RECEIPT)


class TestSidecar:
    @pytest.mark.parametrize(
        ("data", "sidecar", "key"),
        [
            ("pay.csv", "pay.ctl", "acme/pay/new.ctl"),
            ("pay.csv", "pay.csv.ctl", "acme/pay/new.csv.ctl"),
            ("pay.csv.gz", "pay.csv.ctl", "acme/pay/new.csv.ctl"),
        ],
    )
    def test_goes_along_under_the_new_name(self, tmp_path: Path, data: str, sidecar: str, key: str):
        (tmp_path / data).touch()
        (tmp_path / sidecar).touch()
        (tmp_path / "other.ctl").touch()
        new = "acme/pay/new" + "".join(Path(data).suffixes)

        [found] = sidecars(tmp_path / data)

        assert found.name == sidecar
        assert _renamed(new, tmp_path / data, found) == key

    def test_is_not_needed(self, tmp_path: Path):
        (tmp_path / "pay.csv").touch()

        assert sidecars(tmp_path / "pay.csv") == []


class TestFinished:
    @pytest.mark.parametrize("state", ["processed", "duplicate"])
    def test_is_well_when_nothing_was_refused(self, state: str):
        assert finished(state).well

    @pytest.mark.parametrize("state", ["quarantined", "broken", "ignored"])
    def test_is_not_well_when_the_file_was_refused(self, state: str):
        assert not finished(state).well

    def test_is_not_well_when_a_row_was_rejected(self):
        assert not finished(rejected=1).well


class TestInbox:
    @pytest.mark.parametrize("name", ["pay.csv.tmp", "pay.filepart", "pay.ctl"])
    def test_refuses_a_name_that_the_hub_would_leave_alone_for_ever(self, tmp_path: Path, name: str):
        (tmp_path / name).touch()
        nowhere = Inbox(HubClient("http://127.0.0.1:9", "ilk_x"), s3_options("http://127.0.0.1:9"))

        with pytest.raises(InvalidInput) as refused:
            nowhere.drop(tmp_path / name, partner="acme", layout="pay")

        assert refused.value.code == "name_left_alone"


class TestFollow:
    @pytest.mark.usefixtures("aws")
    def test_waits_for_a_hub_that_is_being_started_again(self, client: HubClient):
        done = {"id": "fil_1", "finished_at": "2026-11-22T03:00:00Z", "receipt_key": "acme/pay/receipt.json"}
        Answers.prepared += [(503, {}), (503, {}), (200, {"items": [done]})]
        aws_clients.client("s3").put_object(
            Bucket="hub-out", Key="acme/pay/receipt.json", Body=b'{"status": "processed"}'
        )

        finished = Inbox(client, {}).follow(Drop("acme/pay/one.csv", frozenset(), datetime.now(UTC)))

        assert finished.receipt == {"status": "processed"}

    @pytest.mark.usefixtures("aws")
    def test_gives_up_when_the_hub_stays_silent(self, client: HubClient, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(files, "_SILENT_S", 0.0)
        Answers.prepared.append((503, {}))

        with pytest.raises(Unavailable):
            Inbox(client, {}).follow(Drop("acme/pay/one.csv", frozenset(), datetime.now(UTC)))


class TestTables:
    def test_a_receipt_is_a_row_of_two_lines_that_fits_80_columns(self):
        long = Finished(finished().file, RECEIPT | {"object_key": f"acme/pay/{'long' * 30}.csv"})
        lines = [line.rstrip() for line in shown(receipts_table([long, finished()]), width=80).splitlines()]

        assert all(len(line) <= 80 for line in lines)
        name, folder = next(pair for pair in pairwise(lines) if "one.csv" in pair[0])
        assert name.split() == ["one.csv", "processed", "10", "6", "1", "3", "12.50"]
        assert folder.split() == ["acme/pay", "uniform"]

    def test_a_list_tells_all_of_it_but_what_is_empty(self):
        text = shown(receipt_list(finished()))

        assert "rows rejected" in text
        assert "12.50 uniform" in text
        assert "warnings" not in text
        assert "reason" not in text

    def test_rejected_rows_say_why_and_where_all_of_them_are(self):
        one = Finished({"rows": {"rejected": 7}, "rejects_key": "acme/pay/rejects_one.csv"}, RECEIPT)
        row = {"row_no": 3, "code": "unknown_code", "column": "Lohnart", "message": "`4711` is unknown."}

        text = shown(rejects_table([row], one))

        assert "1 of 7 refused rows; all are in hub-out/acme/pay/rejects_one.csv" in text
        told = [line.rstrip().split(maxsplit=3) for line in text.splitlines()]
        assert ["3", "unknown_code", "Lohnart", "`4711` is unknown."] in told
