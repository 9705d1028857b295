"""`kill -9` of every process of a hub in the middle of a file of 100,000 rows; restarted, it has each row once."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from random import SystemRandom

import httpx
import pytest
from sqlalchemy import func, select

from chalicelib.files.models.files import file_row, inbound_file
from chalicelib.files.register import register
from chalicelib.files.rows import conserving
from chalicelib.partners.models.partners import member
from chalicelib.points.models.ledger import account, accrual_event, lot, transfer
from chalicelib.points.proof import checks
from chalicelib.storage.engine import Database, connect
from cli.client import HubClient
from cli.files import Drop, Finished, Inbox
from cli.target import s3_options
from local.home import REPOSITORY
from local.processes import free_port
from tests.factories.big_file import PARTNER, BigFile, write_accruals, write_roster
from tests.factories.hub import Hub

#: Whole hubs take turns: two at once would be too much for a small machine.
pytestmark = pytest.mark.xdist_group("hub")

ROWS = 100_000
EMPLOYEES = [f"B-{number:03}" for number in range(200)]
#: The kill waits for a checkpoint in this part of the file, and then for up to two slices longer.
KILL_BETWEEN = (0.22, 0.70)
KILL_DELAY_MAX_S = 0.4
APPLIED_S = 300.0
DELIVERED_S = 120.0


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    found = Hub(tmp_path / "home", free_port())
    found.home.mkdir()
    yield found
    found.kill_everything()


@contextmanager
def asking(hub: Hub) -> Iterator[tuple[HubClient, Inbox]]:
    """An administrator's client of the running hub, and its buckets."""
    with HubClient(hub.url, (hub.home / "admin.key").read_text().strip()) as client:
        yield client, Inbox(client, s3_options(hub.state["aws_url"]))


def kill_within(hub: Hub, client: HubClient, drop: Drop, *, rows_done: int, delay_s: float) -> None:
    """Kill every process of the hub a moment after so many rows of the file are applied."""
    deadline = time.monotonic() + APPLIED_S
    while True:
        found = client.get("/v1/files", object_key=drop.key)["items"]
        if found and found[0]["rows"]["done"] >= rows_done:
            break
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
    time.sleep(delay_s)
    hub.kill_all()


def delivered(hub: Hub, client: HubClient) -> dict[str, Decimal]:
    """The points of each employee as the store shows them, once nothing waits to be delivered."""
    deadline = time.monotonic() + DELIVERED_S
    while any(client.get("/v1/deliveries", state=state, limit=1)["items"] for state in ("ready", "leased")):
        assert time.monotonic() < deadline, "the outbox does not run dry"
        time.sleep(0.5)
    customers = httpx.get(f"{hub.state['commerce_cloud_url']}/_customers", trust_env=False).json()
    return {
        each["customerNo"].removeprefix(f"{PARTNER}_"): Decimal(str(each["c_interlinePoints"])) for each in customers
    }


def the_file(database: Database) -> register.InboundFile:
    with database.read() as db:
        row = db.execute(select(inbound_file).where(inbound_file.c.layout_name == "accruals")).one()
        return register.of_row(row)


def stored_events(database: Database) -> int:
    with database.read() as db:
        return db.execute(select(func.count()).select_from(accrual_event)).scalar_one()


def shorten_leases(client: HubClient) -> None:
    """What the hub was sending when it was killed is sent again after half a minute instead of two."""
    manifest = json.loads((REPOSITORY / "rules" / "partners" / f"{PARTNER}.json").read_text())
    manifest["targets"][0]["timeout_s"] = 1
    client.put(f"/v1/partners/{PARTNER}/onboarding", json.dumps({"manifest": manifest}))


class TestKilledInTheMiddleOfAFile:
    def test_a_restarted_hub_applies_every_row_once(self, hub: Hub, tmp_path: Path, record_property):
        draw = SystemRandom()
        rows_done, delay_s = int(ROWS * draw.uniform(*KILL_BETWEEN)), draw.uniform(0, KILL_DELAY_MAX_S)
        roster = write_roster(tmp_path / "roster.csv", EMPLOYEES)
        big = write_accruals(tmp_path / "big.csv", EMPLOYEES, rows=ROWS)
        database = connect(f"sqlite:///{hub.home / 'interline.db'}")
        hub.start("--empty")
        with asking(hub) as (client, inbox):
            shorten_leases(client)
            assert inbox.follow(inbox.drop(roster, partner=PARTNER, layout="hr_roster")).well
            drop = inbox.drop(big.path, partner=PARTNER, layout="accruals")
            kill_within(hub, client, drop, rows_done=rows_done, delay_s=delay_s)

        at_kill = the_file(database)
        done = at_kill.next_row - 1
        # Printed at the end of the test session (tests/conftest.py), also when workers run the tests.
        record_property("figure", f"kill -9: {delay_s:.3f} s after row {rows_done}, with {done} of {ROWS} rows applied")
        assert at_kill.state == "applying"
        assert 0.2 * ROWS <= done <= 0.8 * ROWS
        assert stored_events(database) == at_kill.rows_accepted
        database.engine.dispose()

        hub.start("--empty")
        with asking(hub) as (client, inbox):
            finished = inbox.follow(drop)
            in_store = delivered(hub, client)
        assert hub.stop() == 0
        assert not any(each.alive() for each in hub.everyone)

        assert_receipt(finished, big)
        assert_every_row_once(database, big)
        assert in_store == big.points
        database.engine.dispose()


def assert_receipt(finished: Finished, big: BigFile) -> None:
    """What the sender is told."""
    receipt = finished.receipt
    assert receipt["status"] == "processed"
    assert receipt["rows_total"] == big.rows
    for outcome, shown in (("accepted", "applied"), ("rejected", "rejected"), ("duplicate", "duplicate")):
        assert receipt[f"rows_{outcome}"] == big.outcomes[outcome]
        assert Decimal(receipt[f"control_{shown}"]) == big.sum_of(outcome)
    assert receipt["rows_ignored"] == 0
    assert Decimal(receipt["control_in"]) == sum(big.sum_of(outcome) for outcome in big.outcomes)
    assert Decimal(receipt["points_in"]) == Decimal(receipt["points_posted"]) == big.points_total


def assert_every_row_once(database: Database, big: BigFile) -> None:
    """What the ledger holds."""
    file = the_file(database)
    with database.read() as db:
        assert conserving.breaks(db, file) == []
        assert checks.check(db) == []

        events = db.execute(select(accrual_event.c.event_id, accrual_event.c.row_no)).all()
        assert len(events) == len(big.event_ids)
        assert {each.event_id for each in events} == big.event_ids
        kept = db.execute(select(file_row.c.row_no, file_row.c.row_to).where(file_row.c.file_id == file.id)).all()
        numbers = [each.row_no for each in events]
        numbers += [number for run in kept for number in range(run.row_no, run.row_to + 1)]
        assert sorted(numbers) == list(range(1, big.rows + 1))

        codes = select(file_row.c.code, func.count()).where(file_row.c.outcome == "rejected").group_by(file_row.c.code)
        assert dict(map(tuple, db.execute(codes))) == {code: big.codes[code] for code in ("unknown_member", "bad_date")}
        earned = (
            select(member.c.employee_id, func.sum(transfer.c.amount_minor))
            .join_from(transfer, account, account.c.id == transfer.c.account_id)
            .join(member, member.c.id == account.c.owner_id)
            .group_by(member.c.employee_id)
        )
        assert {name: Decimal(minor) / 100 for name, minor in db.execute(earned)} == big.points
        assert db.execute(select(func.sum(lot.c.remaining_minor))).scalar_one() == int(big.points_total * 100)
