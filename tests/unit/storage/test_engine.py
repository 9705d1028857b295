"""Transactions are what the engine module promises on both engines."""

import threading

import pytest
from sqlalchemy import insert, select, update

from chalicelib.access.models import heartbeat
from chalicelib.errors import DatabaseUnavailable, InvalidInput
from chalicelib.points.models.ledger import account
from chalicelib.storage import engine
from chalicelib.storage.engine import Database, connect
from tests.conftest import NOW


def names(database: Database) -> list[str]:
    with database.read() as db:
        return sorted(db.execute(select(heartbeat.c.name)).scalars())


class TestWrite:
    def test_commits_when_the_block_ends(self, database):
        with database.write() as db:
            db.execute(insert(heartbeat).values(name="a", at=NOW, ok=True))
        assert names(database) == ["a"]

    def test_rolls_back_when_the_block_raises(self, database):
        def fail_halfway() -> None:
            with database.write() as db:
                db.execute(insert(heartbeat).values(name="a", at=NOW, ok=True))
                raise KeyError

        with pytest.raises(KeyError):
            fail_halfway()
        assert names(database) == []

    def test_a_read_transaction_never_commits(self, database):
        with database.read() as db:
            db.execute(select(heartbeat))
            db.execute(insert(heartbeat).values(name="a", at=NOW, ok=True))
        assert names(database) == []


class TestRun:
    def test_forty_writers_of_one_row_lose_no_update(self, database):
        with database.write() as db:
            db.execute(
                insert(account).values(
                    id=bytes(16),
                    partner_id=bytes(16),
                    program_id=bytes(16),
                    kind="member",
                    owner_id=bytes(16),
                    created_at=NOW,
                    changed_at=NOW,
                )
            )

        def add_one(db) -> None:
            known = db.execute(select(account.c.entry_no).with_for_update()).scalar_one()
            db.execute(update(account).values(entry_no=known + 1))

        def work() -> None:
            for _ in range(10):
                database.run(add_one)

        threads = [threading.Thread(target=work) for _ in range(40)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with database.read() as db:
            assert db.execute(select(account.c.entry_no)).scalar_one() == 400

    def test_two_transactions_that_deadlock_both_succeed(self, mariadb_database):
        with mariadb_database.write() as db:
            db.execute(insert(heartbeat), [{"name": name, "at": NOW, "ok": False} for name in "ab"])
        before = mariadb_database.races_lost
        meet = threading.Barrier(2, timeout=10)
        tries = []

        def lock_both(first: str, second: str) -> None:
            def work(db) -> None:
                tries.append(first)
                db.execute(update(heartbeat).where(heartbeat.c.name == first).values(ok=True))
                if len(tries) <= 2:
                    meet.wait()
                db.execute(update(heartbeat).where(heartbeat.c.name == second).values(ok=True))

            mariadb_database.run(work)

        threads = [threading.Thread(target=lock_both, args=names) for names in (("a", "b"), ("b", "a"))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(tries) == 3
        assert mariadb_database.races_lost["deadlock"] == before.get("deadlock", 0) + 1


class TestAConnection:
    def commands(self, database: Database) -> dict[str, int]:
        """How many COM_PING and ROLLBACK the server has had so far, this question included."""
        with database.engine.connect() as db:
            rows = db.exec_driver_sql(
                "SHOW GLOBAL STATUS WHERE Variable_name IN ('Com_admin_commands', 'Com_rollback')"
            )
            return {name: int(value) for name, value in rows}

    def test_that_was_just_used_costs_neither_ping_nor_rollback(self, mariadb_database):
        names(mariadb_database)
        before = self.commands(mariadb_database)
        for number in range(10):
            with mariadb_database.write() as db:
                db.execute(insert(heartbeat).values(name=f"b{number}", at=NOW, ok=True))
        after = self.commands(mariadb_database)

        # One rollback is that of the question itself.
        assert after["Com_admin_commands"] == before["Com_admin_commands"]
        assert after["Com_rollback"] - before["Com_rollback"] <= 1

    def test_that_was_given_back_in_the_middle_of_a_transaction_has_done_nothing(self, mariadb_database):
        connection = mariadb_database.engine.raw_connection()
        connection.cursor().execute("INSERT INTO heartbeat (name, at, ok) VALUES ('leaked', NOW(6), 1)")
        connection.close()
        with mariadb_database.write() as db:
            db.execute(insert(heartbeat).values(name="kept", at=NOW, ok=True))

        assert names(mariadb_database) == ["kept"]

    def test_that_died_while_nobody_used_it_is_replaced(self, mysql_url, monkeypatch):
        database = connect(mysql_url, tls="off")
        monkeypatch.setattr(engine, "_PING_AFTER_S", 0.0)
        with database.read() as db:
            number = db.exec_driver_sql("SELECT CONNECTION_ID()").scalar_one()
        with connect(mysql_url, tls="off").write() as other:
            other.exec_driver_sql(f"KILL {number}")
        with database.read() as db:
            assert db.exec_driver_sql("SELECT CONNECTION_ID()").scalar_one() != number
        database.engine.dispose()


class TestConnect:
    def test_an_absent_server_is_unavailable_and_retryable(self):
        database = connect("mysql+pymysql://root@127.0.0.1:1/x", tls="off")
        with pytest.raises(DatabaseUnavailable) as caught, database.read():
            pass
        assert caught.value.retryable

    def test_another_database_than_the_two_is_refused_by_name(self):
        with pytest.raises(InvalidInput, match="postgresql"):
            connect("postgresql://localhost/x")

    def test_going_without_tls_is_refused_beyond_loopback(self):
        with pytest.raises(InvalidInput, match="loopback"):
            connect("mysql+pymysql://root@db.example.com/x", tls="off")
