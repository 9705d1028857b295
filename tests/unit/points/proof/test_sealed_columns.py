"""Every column of every table of the ledger is classified, and a planted change in any of them is found and named."""

import importlib
import pkgutil
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import Table, insert, select, update
from sqlalchemy.sql.sqltypes import Date, DateTime, Integer, LargeBinary, String

import chalicelib.points
from chalicelib.points.proof import checkpoints, verifying
from chalicelib.points.proof.sealed import KEPT, LEFT_OUT
from chalicelib.points.spending import holds
from chalicelib.storage.ids import new_id
from tests.factories.finance import with_terms
from tests.factories.points import CALLER, NOW, adjust, capture, earn, hold, redeem, refund, reverse, with_rules
from tests.factories.terms import TENDER, tender

BY_NAME = {kept.table.name: kept for kept in KEPT}
COLUMNS = [
    (kept.table.name, column.name) for kept in KEPT for column in kept.table.columns if column.name not in kept.loose
]
#: Tables that a test fills by hand: their own rooms' tests make them by what people do.
BY_HAND = frozenset(
    {
        "annulment", "close_out", "increase_request", "loss_recovery", "opening_balance", "plan_year_member", "posting",
        "posting_line",
        "settlement", "settlement_line", "settlement_range", "settlement_sum",
    }
)  # fmt: skip


def tables_of_the_room() -> set[str]:
    found: set[str] = set()
    for module in pkgutil.walk_packages(chalicelib.points.__path__, "chalicelib.points."):
        if ".models" in module.name:
            own = vars(importlib.import_module(module.name)).values()
            found |= {each.name for each in own if isinstance(each, Table)}
    return found


class TestTheClassification:
    def test_names_every_table_of_the_points_room(self):
        assert tables_of_the_room() == BY_NAME.keys() | LEFT_OUT.keys()

    @pytest.mark.parametrize("name", BY_NAME)
    def test_names_every_column_once(self, name):
        kept = BY_NAME[name]
        sets = [kept.sealed, kept.late, kept.counters, kept.derived, kept.loose]

        named = [column for each in sets for column in each]

        assert sorted(named) == sorted(column.name for column in kept.table.columns)

    def test_leaves_only_moments_of_change_loose(self):
        assert {column for kept in KEPT for column in kept.loose} == {"changed_at"}


@pytest.fixture
def whole(database, aws, earning):
    """One of every kind of entry, all of it chained."""
    with database.write() as db:
        made = with_rules(db, earning, corrections={"reversal": "overdraft", "second_person_above": None})
        earn(db, made, 100)
        refund(db, made, redeem(db, made, 300))
        held = hold(db, made, 500, order_no="order-1")
        capture(db, made, held, 200)
        holds.release(db, held.id, caller=CALLER, now=NOW)
        hold(db, made, 100)
        adjust(db, made, 50, comment="a test")
        tender(db, with_terms(db, made, tender=TENDER))
        wrong = earn(db, made, 100, event_date=date(2026, 10, 2))
        redeem(db, made, 20000)
        reverse(db, made, wrong)
        earn(db, made, 1)
        for name in sorted(BY_HAND):
            db.execute(insert(BY_NAME[name].table), _row(BY_NAME[name].table))
    checkpoints.run(database, now=datetime.now(UTC) + timedelta(hours=1))
    return made


def _row(table):
    """A row that says something in every column, and holds its id."""
    return {column.name: _value(column) for column in table.columns if column.name not in {"seq", "generation"}}


def _value(column, *, other=False):
    """Something that the column can hold, and something else."""
    if column.name == "seq":
        return 10**6
    if isinstance(column.type, LargeBinary):
        return new_id() if column.type.length == 16 else bytes([other]) * 32
    if isinstance(column.type, Integer):
        return 1008 if other else 7
    if isinstance(column.type, Date):
        return date(2026, 1, 2 if other else 1)
    if isinstance(column.type, DateTime) or column.name.endswith("_at") or column.name in {"until", "since", "at"}:
        return NOW - timedelta(days=2 if other else 1)
    assert isinstance(column.type, String), column
    return "y" if other else "x"


def _planted(db, kept, name):
    """Change one column of one row, so that it says something else."""
    table = kept.table
    conditions = [kept.closed] if name in kept.late and kept.closed is not None else []
    if table.name == "hold" and not conditions:
        conditions = [kept.closed]
    key = list(table.primary_key.columns)
    where = db.execute(select(*key).where(*conditions).order_by(*key).limit(1)).one()
    values = {name: table.c[name] - 1 if name in kept.counters else _value(table.c[name], other=True)}
    changed = db.execute(
        update(table).where(*(column == value for column, value in zip(key, where, strict=True))).values(values)
    )
    assert changed.rowcount == 1


@pytest.mark.usefixtures("whole")
def test_a_planted_change_in_any_column_is_found_and_named(database):
    missed, unnamed = [], []
    with database.read() as db:
        sound = _found(db)
    # The rows that were put in by hand are known to have no cause.
    assert {table for _, table, _ in sound} <= {None}
    for table, column in COLUMNS:
        kept = BY_NAME[table]
        with database.engine.connect() as db:
            db.info["purpose"] = "write"
            planted = db.begin()
            _planted(db, kept, column)
            found = _found(db) - sound
            planted.rollback()
        if not found:
            missed.append(f"{table}.{column}")
        keys = {each.name for each in kept.table.primary_key.columns} | {"id", "created_at"}
        if column in kept.sealed and column not in keys and ("altered", table, (column,)) not in found:
            unnamed.append(f"{table}.{column}")

    assert (missed, unnamed) == ([], [])


def _found(db):
    chained = verifying.verify_chain(db)
    if chained.faults:
        # Recomputing everything as well would take most of the time of this test.
        return {(fault.kind, fault.table, fault.columns) for fault in chained.faults}
    sums = verifying.verify_sums(db)
    faults = sums.faults
    return {(fault.kind, fault.table, fault.columns) for fault in faults} | {
        (each.code, None, ()) for each in sums.breaks
    }
