"""Statements whose text is kept write exactly what SQLAlchemy would have written."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import bindparam, event, insert, select, update
from sqlalchemy.exc import IntegrityError

from chalicelib.access.models import heartbeat
from chalicelib.points.models.ledger import lot, transfer
from chalicelib.storage import bulk, prepared
from chalicelib.storage.ids import new_id, new_ids
from tests.conftest import NOW

_INSERT = insert(heartbeat)
_PARTNER = bytes(16)


@pytest.fixture
def sent(database):
    """The statements as the driver got them."""
    found = []

    def note(_connection, _cursor, statement, parameters, *_rest):
        found.append((" ".join(statement.split()), parameters))

    event.listen(database.engine, "before_cursor_execute", note)
    yield found
    event.remove(database.engine, "before_cursor_execute", note)


def beats(database):
    with database.read() as db:
        return [tuple(row) for row in db.execute(select(heartbeat).order_by(heartbeat.c.name))]


def lots_as_they_are(database):
    with database.read() as db:
        rows = db.execute(select(lot.c.id, lot.c.remaining_minor, lot.c.held_minor))
        return {row[0]: (row[1], row[2]) for row in rows}


class TestWrite:
    def test_converts_values_as_their_columns_want(self, database):
        moment = datetime(2026, 11, 20, 12, 0, 0, 123456, tzinfo=UTC)
        with database.write() as db:
            prepared.write(db, _INSERT, {"name": "100 % 'quoted' \\\\ %s", "at": moment, "ok": True})

        assert beats(database) == [("100 % 'quoted' \\\\ %s", moment, True)]

    def test_refuses_a_datetime_without_a_time_zone(self, database):
        with pytest.raises(Exception, match="without a time zone"), database.write() as db:
            prepared.write(db, _INSERT, {"name": "a", "at": NOW.replace(tzinfo=None), "ok": True})

    def test_raises_what_sqlalchemy_raises(self, database):
        with database.write() as db:
            prepared.write(db, _INSERT, {"name": "a", "at": NOW, "ok": True})
        with pytest.raises(IntegrityError), database.write() as db:
            prepared.write(db, _INSERT, {"name": "a", "at": NOW, "ok": False})

    def test_misses_a_value_that_the_statement_names(self, database):
        statement = update(heartbeat).where(heartbeat.c.name == bindparam("of")).values(ok=bindparam("well"))
        with pytest.raises(Exception, match="well"), database.write() as db:
            prepared.write(db, statement, {"of": "a"})

    def test_keeps_the_constants_of_a_statement(self, database):
        statement = update(heartbeat).where(heartbeat.c.name == bindparam("of")).values(ok=False, at=NOW)
        with database.write() as db:
            prepared.write(db, _INSERT, {"name": "a", "at": NOW.replace(year=2020), "ok": True})
            prepared.write(db, statement, {"of": "a"})

        assert beats(database) == [("a", NOW, False)]

    def test_leaves_lists_and_defaults_to_sqlalchemy(self, database):
        listed = update(heartbeat).where(heartbeat.c.name.in_(bindparam("names", expanding=True))).values(ok=False)
        given = {"id": new_id(), "partner_id": _PARTNER, "account_id": _PARTNER, "expires_on": NOW.date()}
        with database.write() as db:
            db.execute(_INSERT, [{"name": name, "at": NOW, "ok": True} for name in "abc"])
            prepared.write(db, listed, {"names": ["a", "c"]})
            # lot.held_minor has a default that is SQLAlchemy's to fill in.
            prepared.write(db, insert(lot), {**given, "amount_minor": 5, "remaining_minor": 5})

        assert [row[2] for row in beats(database)] == [False, True, False]
        assert list(lots_as_they_are(database).values()) == [(5, 0)]

    def test_makes_the_text_of_a_statement_once(self, mariadb_database):
        before = prepared._text.cache_info()
        statement = update(transfer).where(transfer.c.id == bindparam("of")).values(version=bindparam("to"))
        with mariadb_database.write() as db:
            for number in range(5):
                prepared.write(db, statement, {"of": new_id(), "to": number})

        after = prepared._text.cache_info()
        assert (after.misses - before.misses, after.hits - before.hits) == (1, 4)


class TestAdd:
    def make_lots(self, database, count):
        ids = new_ids(count)
        with database.write() as db:
            rows = [
                {"id": each, "partner_id": _PARTNER, "account_id": _PARTNER, "expires_on": NOW.date(),
                 "amount_minor": 100, "remaining_minor": 100, "held_minor": 10}
                for each in ids
            ]  # fmt: skip
            bulk.insert(db, lot, rows)
        return ids

    @pytest.mark.parametrize("count", [1, 2, 3, 100])
    def test_gives_each_row_its_own_amounts(self, database, count):
        ids = self.make_lots(database, count + 1)
        changes = {each: (-number, number * 2) for number, each in enumerate(ids[:-1], start=1)}
        with database.write() as db:
            bulk.add(db, lot, changes, key="id", columns=("remaining_minor", "held_minor"))

        expected = {each: (100 - number, 10 + number * 2) for number, each in enumerate(ids[:-1], start=1)}
        assert lots_as_they_are(database) == expected | {ids[-1]: (100, 10)}

    def test_changes_dozens_of_rows_in_one_statement(self, database, sent):
        ids = self.make_lots(database, 30)
        sent.clear()
        with database.write() as db:
            bulk.add(db, lot, dict.fromkeys(ids, (1,)), key="id", columns=("held_minor",))
            bulk.add(db, lot, {}, key="id", columns=("held_minor",))

        assert len([text for text, _ in sent if text.startswith("UPDATE")]) == 1

    def test_changes_only_rows_within(self, database):
        ids = self.make_lots(database, 2)
        with database.write() as db:
            within = {"partner_id": b"1" * 16}
            bulk.add(db, lot, dict.fromkeys(ids, (1,)), key="id", columns=("held_minor",), within=within)

        assert set(lots_as_they_are(database).values()) == {(100, 10)}
