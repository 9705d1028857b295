"""The hash chain: no row of the ledger is skipped, whatever the order of commits, and every planted change is named."""

import time
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from chalicelib.errors import Broken, Conflict
from chalicelib.points.models.ledger import ledger_checkpoint, transfer
from chalicelib.points.proof import chain, checkpoints, verifying
from chalicelib.settings import settings
from chalicelib.storage import objects, signing
from chalicelib.storage.ids import new_id
from tests.factories.points import earn, event, make_earning, record, spend

pytestmark = pytest.mark.usefixtures("aws")


def just_now() -> datetime:
    """When a checkpoint takes all that was made so far, and nothing that is made from now on."""
    time.sleep(0.003)
    return datetime.now(UTC) + checkpoints.LAG


def soon(minutes: int = 60) -> datetime:
    """A moment long after the ids that a test makes: they begin with the real time."""
    return datetime.now(UTC) + timedelta(minutes=minutes)


def verified(database, **given):
    with database.read() as db:
        return verifying.verify_chain(db, **given)


def chained(database, stream="transfer"):
    """The ids in the lists of a stream's blocks."""
    with database.read() as db:
        made = [block for block in chain.blocks(db, 1, 10**6) if block.stream == stream]
    return [row.key[0] for block in made for row in chain.read_list(block)[1]]


def transfers(database):
    with database.read() as db:
        return [found.hex() for found in db.execute(select(transfer.c.id).order_by(transfer.c.id)).scalars()]


class TestACheckpoint:
    def test_chains_every_row_once(self, database, earning):
        with database.write() as db:
            for _ in range(3):
                earn(db, earning)
        first = checkpoints.run(database, now=just_now())
        time.sleep(0.003)
        with database.write() as db:
            spend(db, earning.account_id, 100)
        second = checkpoints.run(database, now=just_now())

        assert chained(database) == transfers(database)
        assert (first.late, second.late) == (0, 0)
        # The spend with its redemption, line and use of a lot.
        assert second.rows == 4
        assert checkpoints.run(database, now=soon(180)) == checkpoints.Checkpointed()

    def test_leaves_out_what_a_transaction_may_still_come_before(self, database, earning):
        with database.write() as db:
            earn(db, earning)

        checkpoints.run(database, now=datetime.now(UTC) + timedelta(minutes=19))

        assert chained(database) == []

    def test_links_each_block_to_the_one_before_it(self, database, earning):
        with database.write() as db:
            earn(db, earning)
        checkpoints.run(database, now=soon())

        with database.read() as db:
            blocks = chain.blocks(db, 1, 100)
        assert [block.number for block in blocks] == list(range(1, len(blocks) + 1))
        assert blocks[0].previous_hash == chain.GENESIS
        assert all(later.previous_hash == earlier.chain_hash for earlier, later in pairwise(blocks))
        assert all(block.signed for block in blocks)
        assert chain.read_head() == chain.Head(blocks[-1].number, blocks[-1].chain_hash)

    def test_goes_on_in_blocks_of_a_bounded_size(self, database, earning, monkeypatch):
        monkeypatch.setattr(checkpoints, "BLOCK_ROWS", 2)
        with database.write() as db:
            for _ in range(5):
                earn(db, earning)

        checkpoints.run(database, now=soon())

        with database.read() as db:
            sizes = [block.rows for block in chain.blocks(db, 1, 100) if block.stream == "transfer"]
        assert sizes == [2, 2, 1]
        assert chained(database) == transfers(database)
        assert verified(database).faults == ()

    def test_keeps_the_rows_of_one_key_together(self, database, earning, monkeypatch):
        monkeypatch.setattr(checkpoints, "BLOCK_ROWS", 2)
        with database.write() as db:
            for hours in (1, 1, 1):
                earn(db, earning, hours)
            spend(db, earning.account_id, 450)

        checkpoints.run(database, now=soon())

        with database.read() as db:
            sizes = [block.rows for block in chain.blocks(db, 1, 100) if block.stream == "lot_use"]
        assert sizes == [3]
        assert verified(database).faults == ()

    def test_of_two_at_once_one_gives_up(self, database, earning, monkeypatch):
        with database.write() as db:
            earn(db, earning)
        before = chain.latest
        checkpoints.run(database, now=soon())
        with database.write() as db:
            earn(db, earning)
        # The other run is between reading the latest block and writing its own.
        with database.read() as db:
            stale = before(db)
        late = soon(90)
        checkpoints.run(database, now=late)
        monkeypatch.setattr(chain, "latest", lambda db, stream=None: stale if stream is None else before(db, stream))
        with database.write() as db:
            earn(db, earning)

        with pytest.raises(Conflict, match="Another run"):
            checkpoints.run(database, now=soon(150))

        monkeypatch.undo()
        checkpoints.run(database, now=soon(150))
        assert chained(database) == transfers(database)


class TestATransactionThatCommitsLate:
    @pytest.mark.parametrize("database", ["mariadb"], indirect=True)
    @pytest.mark.usefixtures("data_key")
    def test_is_chained_by_a_later_checkpoint(self, database):
        with database.write() as db:
            slow, quick = make_earning(db), make_earning(db)
        with database.engine.connect() as connection:
            connection.info["purpose"] = "write"
            opened = connection.begin()
            earn(connection, slow)
            with database.write() as db:
                earn(db, quick)
            # Smaller ids than those that are committed already are still open, for longer than any Lambda lives.
            first = checkpoints.run(database, now=soon())
            assert len(chained(database)) == 1
            opened.commit()
        # Until it is chained, it looks like a row that somebody has put in.
        assert {fault.kind for fault in verified(database).faults} == {"inserted"}

        second = checkpoints.run(database, now=soon(120))

        assert first.late == 0
        assert second.late > 0
        assert sorted(chained(database)) == transfers(database)
        assert verified(database).faults == ()

    def test_of_another_day_is_not_chained_behind_anybodys_back(self, database, earning):
        with database.write() as db:
            earn(db, earning)
        checkpoints.run(database, now=soon())
        old = (int.from_bytes(new_id()) - (1 << 80)).to_bytes(16)
        with database.write() as db:
            row = dict(db.execute(select(transfer)).mappings().one())
            del row["seq"]
            db.execute(insert(transfer), {**row, "id": old, "entry_no": 2, "source_id": new_id()})

        two_days_later = datetime.now(UTC) + timedelta(hours=48)
        assert checkpoints.run(database, now=two_days_later).late == 0
        [fault] = verified(database).faults
        assert (fault.kind, fault.table, fault.key) == ("inserted", "transfer", {"id": old.hex()})


class TestVerifying:
    @pytest.fixture
    def sealed(self, database, aws, earning):  # noqa: ARG002 - the buckets are emptied before, not after
        with database.write() as db:
            for _ in range(3):
                earn(db, earning)
        checkpoints.run(database, now=soon())
        return earning

    @pytest.mark.usefixtures("sealed")
    def test_finds_nothing_in_a_ledger_as_it_was(self, database):
        found = verified(database)

        assert found.faults == ()
        assert found.following is None
        assert found.rows > 3

    @pytest.mark.usefixtures("sealed")
    def test_names_the_altered_row_and_column(self, database):
        with database.write() as db:
            [first] = db.execute(select(transfer.c.id).order_by(transfer.c.id).limit(1)).scalars()
            db.execute(update(transfer).where(transfer.c.id == first).values(business_date=date(2026, 11, 3)))

        [fault] = verified(database).faults
        assert (fault.kind, fault.table) == ("altered", "transfer")
        assert fault.key == {"id": first.hex()}
        assert fault.columns == ("business_date",)

    @pytest.mark.usefixtures("sealed")
    def test_names_a_row_that_was_removed(self, database):
        with database.write() as db:
            [first] = db.execute(select(transfer.c.id).order_by(transfer.c.id).limit(1)).scalars()
            db.execute(delete(transfer).where(transfer.c.id == first))

        [fault] = verified(database).faults
        assert (fault.kind, fault.table, fault.key) == ("removed", "transfer", {"id": first.hex()})

    @pytest.mark.usefixtures("sealed")
    @pytest.mark.parametrize("column", ["content_hash", "rows", "until_key", "signature", "made_at", "stream"])
    def test_finds_a_block_that_was_altered(self, database, column):
        values = {"rows": 7, "made_at": soon(), "stream": "lot", "until_key": b"z" * 16}
        with database.write() as db:
            changed = update(ledger_checkpoint).where(ledger_checkpoint.c.number == 2)
            db.execute(changed.values({column: values.get(column, b"x" * 32)}))

        assert ("link_altered", 2) in {(fault.kind, fault.block) for fault in verified(database).faults}

    @pytest.mark.usefixtures("sealed")
    def test_finds_a_block_that_somebody_signed_again_without_the_key(self, database, monkeypatch):
        with database.write() as db:
            db.execute(update(transfer).values(amount_minor=99))
            db.execute(delete(ledger_checkpoint))
        objects.delete(settings().bucket("hub-archive"), "ledger-chain/head.json")
        monkeypatch.setattr(signing, "_keys", lambda: signing._Keys(1, {1: b"a guess"}))
        checkpoints.run(database, now=soon())
        monkeypatch.undo()

        # The head in the archive was forged too.
        with pytest.raises(Exception, match="not signed"):
            verified(database)

    @pytest.mark.usefixtures("sealed")
    def test_finds_that_the_chain_was_cut_off(self, database):
        with database.write() as db:
            last = chain.latest(db).number
            db.execute(delete(ledger_checkpoint).where(ledger_checkpoint.c.number == last))

        faults = verified(database).faults
        assert {(fault.kind, fault.block) for fault in faults} == {("block_missing", last), ("cut_off", last)}

    @pytest.mark.parametrize("left", [0, 2])
    def test_a_chain_that_was_cut_off_is_not_chained_anew(self, database, sealed, left):
        with database.write() as db:
            db.execute(update(transfer).values(amount_minor=99))
            db.execute(delete(ledger_checkpoint).where(ledger_checkpoint.c.number > left))
            earn(db, sealed)

        with pytest.raises(Broken, match="cut it off"):
            checkpoints.run(database, now=soon(120))

        assert "cut_off" in {fault.kind for fault in verified(database).faults}

    @pytest.mark.usefixtures("sealed")
    def test_a_run_that_died_before_it_told_the_archive_is_gone_on_with(self, database):
        with database.read() as db:
            first = chain.blocks(db, 1, 1)[0]
        chain.write_head(first)

        checkpoints.run(database, now=soon(120))

        assert verified(database).faults == ()

    @pytest.mark.usefixtures("sealed")
    @pytest.mark.parametrize("key", [bytes(16), b"\xff" * 16])
    def test_names_a_row_that_no_block_will_ever_have(self, database, key):
        with database.write() as db:
            row = dict(db.execute(select(transfer).limit(1)).mappings().one())
            del row["seq"]
            db.execute(insert(transfer), {**row, "id": key, "entry_no": 9, "source_id": new_id()})

        [fault] = verified(database).faults
        assert (fault.kind, fault.block, fault.key) == ("inserted", 0, {"id": key.hex()})

    @pytest.mark.usefixtures("sealed")
    def test_finds_a_missing_list_and_compares_the_rows_all_the_same(self, database):
        with database.read() as db:
            block = next(each for each in chain.blocks(db, 1, 100) if each.stream == "transfer")
        objects.delete(settings().bucket("hub-archive"), block.object_key)

        [fault] = verified(database).faults
        assert (fault.kind, fault.block) == ("list_altered", block.number)
        with database.write() as db:
            db.execute(update(transfer).values(amount_minor=99))
        assert {fault.kind for fault in verified(database).faults} == {"list_altered"}

    @pytest.mark.usefixtures("sealed")
    def test_goes_on_in_slices(self, database):
        with database.read() as db:
            last = chain.latest(db).number
        seen, number = [], 1
        while number is not None:
            found = verified(database, first=number, rows_max=1)
            seen += range(found.first, found.last + 1)
            number = found.following

        assert seen == list(range(1, last + 1))

    def test_of_an_empty_ledger_finds_nothing(self, database):
        assert verified(database) == verifying.ChainVerified(1, 0, 0, (), None)


def test_a_block_is_written_once(database, earning):
    with database.write() as db:
        record(db, earning.partner, [event()])
    checkpoints.run(database, now=soon())

    with database.read() as db:
        [block] = chain.blocks(db, 1, 1)
    with pytest.raises(IntegrityError), database.write() as db:
        checkpoints._write(db, block)
