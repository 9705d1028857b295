"""The `hub` commands against a local hub with its sample partners: what a person does in the first five minutes."""

import json
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from local.home import REPOSITORY
from local.processes import free_port
from tests.factories.hub import READY_S, Hub

#: Whole hubs take turns: two at once would be too much for a small machine.
pytestmark = pytest.mark.xdist_group("hub")

HEADER = "partner_code,program_code,event_id,employee_id,event_type,event_date,quantity,unit"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    found = Hub(tmp_path_factory.mktemp("hub") / "home", free_port())
    found.home.mkdir()
    with hold(4566), hold(4570):  # the stand-ins must find other ports than their usual ones
        found.start()
        deadline = time.monotonic() + READY_S
        while not found.state.get("samples_processed"):
            assert time.monotonic() < deadline, found.output()
            time.sleep(0.2)
        yield found
        assert found.stop() == 0, found.output()
        found.kill_everything()


@contextmanager
def hold(port: int) -> Iterator[None]:
    """Keep a port busy, if it is not already."""
    held = nullcontext()
    with suppress(OSError):
        held = socket.create_server(("127.0.0.1", port))
    with held:
        yield


def document(done: subprocess.CompletedProcess[str]) -> Any:
    """The one JSON document on standard output."""
    return json.loads(done.stdout)


def accruals(path: Path, *rows: str) -> Path:
    path.write_text("\n".join([HEADER, *rows]) + "\n")
    return path


class TestFirstStart:
    def test_shows_receipts_and_the_largest_balances(self, hub: Hub):
        said = hub.output()

        samples = [path for path in (REPOSITORY / "samples").glob("*/*/*") if ".csv" in path.name]
        assert "Receipts" in said
        assert said.count(" processed ") == len(samples)
        assert "The 10 largest balances" in said
        assert "139.26" in said.partition("largest balances")[2]


class TestDeliveries:
    def test_reach_this_hubs_own_commerce_cloud_wherever_it_listens(self, hub: Hub):
        store = hub.state["commerce_cloud_url"]
        assert not store.endswith(":4570")

        deadline = time.monotonic() + READY_S
        while "139.26" not in (customers := httpx.get(f"{store}/_customers", trust_env=False).text):
            assert time.monotonic() < deadline, customers
            time.sleep(0.5)

    def test_wait_and_are_listed_where_the_store_has_no_such_customer(self, hub: Hub):
        key = (hub.home / "admin.key").read_text().strip()

        def get(path: str, **query: str) -> Any:
            headers = {"Authorization": f"Bearer {key}"}
            return httpx.get(hub.url + path, params=query, headers=headers, trust_env=False).raise_for_status().json()

        harbor = get("/v1/partners/harbor-hotels")["id"]

        def deliveries(**query: str) -> list[dict[str, Any]]:
            return get("/v1/deliveries", partner_id=harbor, limit="200", **query)["items"]

        deadline = time.monotonic() + READY_S
        while len(missing := deliveries(code="customer_missing")) < 2 or len(deliveries(state="confirmed")) < 40:
            assert time.monotonic() < deadline, missing
            time.sleep(0.5)
        assert [each["state"] for each in missing] == ["ready", "ready"]


class TestDrop:
    def test_of_a_good_file_ends_with_its_receipt_and_zero(self, hub: Hub, tmp_path: Path):
        file = accruals(tmp_path / "good.csv", "aurora-air,uniform,cli-1,10047,HOURS,2026-11-01,8,HOUR")

        done = hub.command("drop", str(file), "--partner", "aurora-air", "--layout", "accruals", "--json")

        assert done.returncode == 0, done.stdout + done.stderr
        receipt = document(done)
        assert (receipt["status"], receipt["rows_accepted"], receipt["rows_rejected"]) == ("processed", 1, 0)

    def test_of_a_file_with_a_rejected_row_ends_with_one(self, hub: Hub, tmp_path: Path):
        file = accruals(
            tmp_path / "half.csv",
            "aurora-air,uniform,cli-2,10047,HOURS,2026-11-01,8,HOUR",
            "aurora-air,uniform,cli-3,nobody,HOURS,2026-11-01,8,HOUR",
        )

        done = hub.command("drop", str(file), "--partner", "aurora-air", "--layout", "accruals", "--json")

        assert done.returncode == 1
        assert (document(done)["rows_accepted"], document(done)["rows_rejected"]) == (1, 1)

    def test_of_a_quarantined_file_ends_with_one_and_says_why(self, hub: Hub, tmp_path: Path):
        file = tmp_path / "wrong.csv"
        file.write_text("no,such,header\n1,2,3\n")

        done = hub.command("drop", str(file), "--partner", "aurora-air", "--layout", "accruals")

        assert done.returncode == 1
        assert "quarantined" in done.stdout

    def test_of_the_same_content_again_applies_nothing(self, hub: Hub, tmp_path: Path):
        file = accruals(tmp_path / "twice.csv", "aurora-air,uniform,cli-4,10047,HOURS,2026-11-02,8,HOUR")
        options = ("--partner", "aurora-air", "--layout", "accruals", "--json")
        hub.command("drop", str(file), *options)

        again = hub.command("drop", str(file), *options, "--name", "renamed.csv")

        assert again.returncode == 0
        assert document(again)["status"] == "duplicate"

    def test_of_a_file_that_is_not_there_is_wrong_usage(self, hub: Hub):
        assert hub.command("drop", "/none.csv", "--partner", "aurora-air", "--layout", "accruals").returncode == 2


class TestBalanceAndLineage:
    def test_lead_from_a_member_to_the_row_that_earned_its_points(self, hub: Hub):
        balance = hub.command("balance", "aurora-air/10047", "--json")
        assert balance.returncode == 0, balance.stdout
        [program] = document(balance)["balances"]
        assert program["program"] == "uniform"
        entry = document(balance)["latest_entries"][0]

        lineage = hub.command("lineage", entry["id"], "--recompute", "--json")

        assert lineage.returncode == 0, lineage.stdout
        decided = document(lineage)["decided"]
        assert decided["recomputed"] == entry["amount"]
        assert decided["source"]["raw"]
        assert decided["rule"]["content_hash"]

    def test_are_readable_without_json(self, hub: Hub):
        shown = hub.command("balance", "aurora-air/10047").stdout
        entry = next(word for word in shown.split() if word.startswith("trf_"))

        assert "uniform (points)" in shown
        assert "sha256" in hub.command("lineage", entry).stdout

    def test_of_what_does_not_exist_are_refused(self, hub: Hub):
        refused = hub.command("balance", "aurora-air/nobody", "--json")

        assert refused.returncode == 1
        assert document(refused)["error"]["code"] == "unknown_member"
        assert hub.command("lineage", "trf_nonsense", "--json").returncode == 1


class TestRules:
    def test_applying_again_changes_nothing(self, hub: Hub):
        done = hub.command("rules", "apply", "--json")

        assert done.returncode == 0, done.stdout
        partners = document(done)["partners"]
        assert set(partners) >= {"aurora-air", "harbor-hotels"}
        assert not any(plan["changed"] for plan in partners.values())

    def test_checking_names_what_is_wrong_and_changes_nothing(self, hub: Hub, tmp_path: Path):
        (tmp_path / "partners").mkdir()
        manifest = json.loads((REPOSITORY / "rules/partners/aurora-air.json").read_text())
        (tmp_path / "partners/aurora-air.json").write_text(json.dumps(manifest | {"time_zone": "Mars/Olympus"}))

        done = hub.command("rules", "check", str(tmp_path), "--json")

        assert done.returncode == 1
        assert [fault["pointer"] for fault in document(done)["errors"]] == ["partners/aurora-air.json#/time_zone"]


class TestKeys:
    def test_a_partners_key_reads_its_own_balances_only(self, hub: Hub, monkeypatch: pytest.MonkeyPatch):
        scopes = ("--scope", "ledger:read", "--scope", "members:read")
        made = hub.command("key", "create", "for the portal", "--partner", "harbor-hotels", *scopes, "--json")
        assert made.returncode == 0, made.stdout
        monkeypatch.setenv("HUB_KEY", document(made)["key"])

        assert hub.command("balance", "aurora-air/10047", "--json").returncode == 1
        assert hub.command("balance", "harbor-hotels/H-20669", "--json").returncode == 0


class TestMigrate:
    def test_tells_that_the_database_is_at_its_newest(self, hub: Hub):
        done = hub.command("migrate", "--check", "--json")

        assert done.returncode == 0, done.stdout
        assert document(done)["after"] == document(done)["newest"]
