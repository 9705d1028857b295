"""Bulk writes behave alike on both engines, with and without LOAD DATA."""

from datetime import UTC, date, datetime

import pytest
from sqlalchemy import Column, Date, Integer, String, Table, UniqueConstraint, func, select
from sqlalchemy.exc import DBAPIError, IntegrityError

from chalicelib.errors import Broken
from chalicelib.storage import bulk
from chalicelib.storage.engine import Database
from chalicelib.storage.ids import new_ids
from chalicelib.storage.tables import Big, Blob, Id, Microseconds, metadata

AT = datetime(2026, 1, 31, 23, 59, 59, 123456, tzinfo=UTC)
ODD = 'tab\there, line\nthere, back\\slash, quote " and \N{SNOWMAN}, \0 and \x1e-between-\x1f'


@pytest.fixture
def things(database: Database):
    table = Table(
        "things",
        metadata,
        Column("id", Id, primary_key=True),
        Column("name", String(100), nullable=False),
        Column("amount", Big, nullable=False),
        Column("note", String(200)),
        Column("sealed", Blob),
        Column("day", Date),
        Column("at", Microseconds),
        Column("tries", Integer, nullable=False, default=7),
        UniqueConstraint("name"),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
    )
    table.create(database.engine)
    yield table
    table.drop(database.engine)
    metadata.remove(table)


def rows_of(count: int, *, start: int = 0, amount: int = 5):
    return [
        {
            "id": raw,
            "name": f"row-{start + at:06}",
            "amount": amount,
            "note": ODD if at % 2 else None,
            "sealed": bytes(range(256)),
            "day": date(2026, 2, 28),
            "at": AT,
        }
        for at, raw in enumerate(new_ids(count))
    ]


@pytest.mark.parametrize("count", [1, 3, 250])
class TestInsertNew:
    def test_every_value_comes_back_as_it_went_in(self, database, things, count):
        rows = rows_of(count)
        with database.write() as db:
            assert bulk.insert_new(db, things, rows, key=["name"]) == []
        with database.read() as db:
            stored = [dict(row._mapping) for row in db.execute(select(things).order_by(things.c.name))]
        assert stored == [row | {"tries": 7} for row in rows]

    def test_rows_whose_key_exists_are_skipped_and_named(self, database, things, count):
        with database.write() as db:
            bulk.insert(db, things, rows_of(count, amount=1))
        with database.write() as db:
            skipped = bulk.insert_new(db, things, rows_of(count + 2, amount=2), key=["name"])
        with database.read() as db:
            amounts = list(db.execute(select(things.c.amount).order_by(things.c.name)).scalars())
        assert skipped == list(range(count))
        assert amounts == [1] * count + [2, 2]


@pytest.mark.parametrize("count", [1, 250])
class TestUpsert:
    def test_existing_rows_change_only_in_the_named_columns(self, database, things, count):
        first, second = rows_of(count, amount=1), rows_of(count + 1, amount=2)
        for row in second:
            row["note"] = "changed"
        with database.write() as db:
            bulk.insert(db, things, first)
            bulk.upsert(db, things, second, key=["name"], update=["amount"])
        with database.read() as db:
            stored = [dict(row._mapping) for row in db.execute(select(things).order_by(things.c.name))]
        expected = [row | {"amount": 2, "tries": 7} for row in first] + [second[-1] | {"tries": 7}]
        assert stored == expected

    def test_update_by_key_touches_nothing_else(self, database, things, count):
        rows = rows_of(count + 1)
        with database.write() as db:
            bulk.insert(db, things, rows)
            bulk.update_by_key(
                db,
                things,
                [{"id": row["id"], "amount": at, "note": None} for at, row in enumerate(rows[:-1])],
                key=["id"],
                set_=["amount", "note"],
            )
            stored = db.execute(select(things.c.amount, things.c.note).order_by(things.c.name)).all()
        assert [tuple(row) for row in stored] == [(at, None) for at in range(count)] + [(5, rows[-1]["note"])]


class TestRefusal:
    @pytest.mark.parametrize("count", [1, 250])
    def test_insert_refuses_a_duplicate(self, database, things, count):
        with database.write() as db:
            bulk.insert(db, things, rows_of(count))
        with pytest.raises(IntegrityError), database.write() as db:
            bulk.insert(db, things, rows_of(count))

    @pytest.mark.parametrize("count", [2, 250])
    def test_a_value_that_does_not_fit_is_never_altered_silently(self, mariadb_database, count):
        table = Table("tight", metadata, Column("id", Id, primary_key=True), Column("name", String(3), nullable=False))
        table.create(mariadb_database.engine)
        rows = [{"id": raw, "name": "long name"} for raw in new_ids(count)]
        try:
            with pytest.raises((Broken, DBAPIError)), mariadb_database.write() as db:
                bulk.insert_new(db, table, rows, key=["id"])
            with mariadb_database.read() as db:
                assert db.execute(select(func.count()).select_from(table)).scalar_one() == 0
        finally:
            table.drop(mariadb_database.engine)
            metadata.remove(table)
