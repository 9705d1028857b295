"""What the two hot requests cost, in statements: more of them is a change that should be meant."""

from contextlib import contextmanager

import pytest
from sqlalchemy import event as listeners

from chalicelib.points.ledger import balances
from tests.factories.points import NOW, earn, event, record


@contextmanager
def counted(database):
    statements: list[str] = []

    def note(_connection, _cursor, statement, *_):
        if not statement.startswith("BEGIN"):
            statements.append(statement)

    listeners.listen(database.engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        listeners.remove(database.engine, "before_cursor_execute", note)


@pytest.mark.usefixtures("balance_target")
class TestStatements:
    def test_a_single_accrual_takes_eight_and_nine_on_sqlite(self, database, earning):
        with database.write() as db:
            earn(db, earning)
            with counted(database) as statements:
                record(db, earning.partner, [event()])

        # Standing, rules, account lock; event, transfer, lot, account; delivery, which MySQL takes from its targets.
        expected = 9 if database.engine.dialect.name == "sqlite" else 8
        assert len(statements) == expected, "\n".join(statements)

    def test_a_balance_takes_one(self, database, earning):
        with database.write() as db:
            earn(db, earning)
        with database.read() as db, counted(database) as statements:
            balances.of(db, earning.member.id, now=NOW)

        assert len(statements) == 1

    def test_a_batch_takes_no_more_for_more_events(self, database, earning):
        with database.write() as db:
            record(db, earning.partner, [event(), event()])
            with counted(database) as few:
                record(db, earning.partner, [event() for _ in range(2)])
            with counted(database) as many:
                record(db, earning.partner, [event() for _ in range(100)])

        assert len(many) == len(few)
