from pathlib import Path

import pytest

from cli.files import Finished, _renamed, _sidecars, receipt_list, receipts_table
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

        [found] = _sidecars(tmp_path / data)

        assert found.name == sidecar
        assert _renamed(new, tmp_path / data, found) == key

    def test_is_not_needed(self, tmp_path: Path):
        (tmp_path / "pay.csv").touch()

        assert _sidecars(tmp_path / "pay.csv") == []


class TestFinished:
    @pytest.mark.parametrize("state", ["processed", "duplicate"])
    def test_is_well_when_nothing_was_refused(self, state: str):
        assert finished(state).well

    @pytest.mark.parametrize("state", ["quarantined", "broken", "ignored"])
    def test_is_not_well_when_the_file_was_refused(self, state: str):
        assert not finished(state).well

    def test_is_not_well_when_a_row_was_rejected(self):
        assert not finished(rejected=1).well


class TestTables:
    def test_one_line_tells_a_receipt(self):
        line = next(line for line in shown(receipts_table([finished()])).splitlines() if "one.csv" in line)

        assert [cell.strip() for cell in line.split("│")[1:-1]] == [
            "acme/pay/one.csv", "processed", "10", "6", "1", "3", "12.50 uniform",
        ]  # fmt: skip

    def test_a_list_tells_all_of_it_but_what_is_empty(self):
        text = shown(receipt_list(finished()))

        assert "rows rejected" in text
        assert "12.50 uniform" in text
        assert "warnings" not in text
        assert "reason" not in text
