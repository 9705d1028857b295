"""The bound of ``benchmarks.intake``: LOAD DATA of the very rows that intake wrote, in as many transactions.

After a run the server itself dumps the rows of every table that was written, slice by slice, in the order in which they
were inserted. They are loaded into copies of the tables with the same indexes. Nobody could write these rows faster
without knowing them beforehand: an account or a delivery that many slices change is loaded once, in its final state.
"""

import itertools
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymysql
from sqlalchemy.engine import make_url

from benchmarks import report
from benchmarks.world import World
from chalicelib.storage.tables import metadata

#: How the rows of each table that a slice writes are found; ``{first}`` and ``{last}`` are row numbers of the file.
_EVENTS = (
    "FROM accrual_event e {join} WHERE e.source_file_id = (SELECT id FROM inbound_file)"
    " AND e.row_no BETWEEN {{first}} AND {{last}} ORDER BY {order}"
)
_SEEN = "FROM first_seen f {join} WHERE f.row_no BETWEEN {{first}} AND {{last}} ORDER BY {order}"
_ROWS_OF: Mapping[str, str] = {
    "account": _SEEN.format(join="JOIN account t ON t.id = f.account_id", order="t.owner_id"),
    "accrual_event": _EVENTS.format(join="JOIN accrual_event t ON t.seq = e.seq", order="t.seq"),
    "transfer": _EVENTS.format(join="JOIN transfer t ON t.source_id = e.id AND t.kind = 'accrual'", order="t.seq"),
    "lot": _EVENTS.format(
        join="JOIN transfer p ON p.source_id = e.id AND p.kind = 'accrual' JOIN lot t ON t.id = p.id", order="t.id"
    ),
    "delivery": _SEEN.format(
        join="JOIN delivery t ON t.entity = 'balance' AND t.entity_key = LOWER(HEX(f.account_id))", order="t.seq"
    ),
    "file_row": "FROM file_row t WHERE t.row_no BETWEEN {first} AND {last} ORDER BY t.row_no",
}
#: Written a row at a time, so not worth loading: the file itself, its audit line and the house account.
_SINGLE = frozenset({"inbound_file", "audit_event"})
WRITTEN = tuple(_ROWS_OF)
_FIRST_SEEN = """CREATE TEMPORARY TABLE first_seen (account_id BINARY(16) PRIMARY KEY, row_no INT NOT NULL,
 KEY (row_no))
 SELECT account_id, MIN(row_no) AS row_no FROM accrual_event GROUP BY account_id"""


@dataclass(frozen=True, slots=True)
class Took:
    """What a load cost: seconds by the clock and of this process's CPU; of each slice, the server's CPU too."""

    seconds: float
    cpu_s: float
    slices_cpu_s: tuple[float, ...] = ()


def counts(world: World) -> dict[str, int]:
    """The number of rows of each table."""
    with _connected(world.name, world) as connection, connection.cursor() as cursor:
        return {name: _one(cursor, f"SELECT COUNT(*) FROM `{name}`") for name in metadata.tables}  # noqa: S608 - ours


def require_complete(before: Mapping[str, int], after: Mapping[str, int]) -> None:
    """Raise RuntimeError when intake wrote a table that is not loaded: the comparison would flatter it."""
    grown = {name for name in after if after[name] > before[name]}
    if not grown <= set(WRITTEN) | _SINGLE:
        raise RuntimeError(f"Intake wrote tables that are not compared: {sorted(grown - set(WRITTEN) - _SINGLE)}.")


def empty(world: World) -> None:
    """Take away everything that a file wrote."""
    with _connected(world.name, world) as connection, connection.cursor() as cursor:
        for name in (*WRITTEN, "inbound_file"):
            cursor.execute(f"TRUNCATE TABLE `{name}`")


def dump(world: World, folder: Path, *, rows: int, slice_rows: int) -> list[dict[str, Path]]:
    """Have the server write what each slice wrote: one file a table and slice."""
    slices: list[dict[str, Path]] = []
    with _connected(world.name, world) as connection, connection.cursor() as cursor:
        cursor.execute(_FIRST_SEEN)
        for first in range(1, rows + 1, slice_rows):
            files = {name: folder / f"{name}.{first}.tsv" for name in WRITTEN}
            for name, path in files.items():
                path.unlink(missing_ok=True)
                source = _ROWS_OF[name].format(first=first, last=first + slice_rows - 1)
                columns = ", ".join(f"t.`{column}`" for column in _columns(name))
                cursor.execute(f"SELECT {columns} INTO OUTFILE '{path}' CHARACTER SET binary {source}")
            slices.append(files)
    return slices


def load(world: World, slices: list[dict[str, Path]]) -> Took:
    """Load the dumped rows into empty copies of the tables, a transaction a slice."""
    with _copies(world) as connection, connection.cursor() as cursor:
        pid = _server_pid(world)
        started_s, started_cpu_s = time.perf_counter(), time.process_time()
        marks_s = [started_cpu_s + report.cpu_s(pid)]
        for files in slices:
            for name, path in files.items():
                columns = ", ".join(f"`{column}`" for column in _columns(name))
                cursor.execute(f"LOAD DATA LOCAL INFILE '{path}' INTO TABLE `{name}` CHARACTER SET binary ({columns})")
                _require_clean(cursor)
            connection.commit()
            marks_s.append(time.process_time() + report.cpu_s(pid))
        each_s = tuple(after - before for before, after in itertools.pairwise(marks_s))
        took = Took(time.perf_counter() - started_s, time.process_time() - started_cpu_s, each_s)
        _require_same(cursor, world)
    return took


def load_raw(world: World, content: bytes, folder: Path) -> Took:
    """Load the file as it came into one plain table of texts."""
    path = folder / "raw.csv"
    path.write_bytes(content)
    with _copies(world) as connection, connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE raw_row (seq BIGINT AUTO_INCREMENT PRIMARY KEY, emp_id VARCHAR(64), worked VARCHAR(20),"
            " pay_type VARCHAR(40), hours VARCHAR(20), period_end VARCHAR(20), base VARCHAR(10), note VARCHAR(200))"
        )
        started_s, started_cpu_s = time.perf_counter(), time.process_time()
        cursor.execute(
            f"LOAD DATA LOCAL INFILE '{path}' IGNORE INTO TABLE raw_row CHARACTER SET utf8mb4 FIELDS TERMINATED BY ','"
            " IGNORE 1 LINES (emp_id, worked, pay_type, hours, period_end, base, note)"
        )
        connection.commit()
        return Took(time.perf_counter() - started_s, time.process_time() - started_cpu_s)


def server_cpu_s(world: World) -> float:
    """The CPU seconds that the database server has used so far."""
    return report.cpu_s(_server_pid(world))


def _server_pid(world: World) -> int:
    with _connected(world.name, world) as connection, connection.cursor() as cursor:
        return int(Path(str(_one(cursor, "SELECT @@pid_file"))).read_text())


def _columns(name: str) -> list[str]:
    # The server numbers the rows of ordered tables anew, as it does for intake.
    return [column.name for column in metadata.tables[name].c if column.name != "seq"]


def _connected(schema: str, world: World) -> Any:  # noqa: ANN401 - the driver is untyped
    socket = make_url(world.variables["INTERLINE_DATABASE_URL"]).query["unix_socket"]
    return pymysql.connect(unix_socket=socket, user="root", database=schema, local_infile=True, ssl_disabled=True)


def _copies(world: World) -> Any:  # noqa: ANN401 - the driver is untyped
    """A connection to a fresh schema with empty tables of the same columns and indexes."""
    connection = _connected(world.name, world)
    with connection.cursor() as cursor:
        cursor.execute("DROP DATABASE IF EXISTS `finished`")
        cursor.execute("CREATE DATABASE `finished` CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
        for name in WRITTEN:
            cursor.execute(f"CREATE TABLE `finished`.`{name}` LIKE `{name}`")
        cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
    connection.select_db("finished")
    return connection


def _require_clean(cursor: Any) -> None:  # noqa: ANN401 - the driver is untyped
    cursor.execute("SHOW COUNT(*) WARNINGS")
    if cursor.fetchone()[0]:
        raise RuntimeError("LOAD DATA of the finished rows altered or skipped some.")


def _require_same(cursor: Any, world: World) -> None:  # noqa: ANN401 - the driver is untyped
    for name in WRITTEN:
        copied = _one(cursor, f"SELECT COUNT(*) FROM `{name}`")  # noqa: S608 - our own tables
        house = "WHERE kind = 'member'" if name == "account" else ""
        written = _one(cursor, f"SELECT COUNT(*) FROM `{world.name}`.`{name}` {house}")  # noqa: S608 - same
        if copied != written:
            raise RuntimeError(f"{written} rows of {name} were written and {copied} loaded: they must be the same.")


def _one(cursor: Any, statement: str) -> Any:  # noqa: ANN401 - the driver is untyped
    cursor.execute(statement)
    return cursor.fetchone()[0]
