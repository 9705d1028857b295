"""The hourly checkpoint: hashes what the ledger has got since the last one into signed blocks of a chain.

The order of ids is not the order of commits, so a block ends well before now: no transaction lives as long as ``LAG``,
since the Lambda that opened it does not. Should one all the same, the rows of the closed blocks of the last ``SWEPT``
are counted again each time, and what has come in between is chained as a late block of its own. So no row is skipped.
"""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Row, func, insert, select
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from chalicelib.errors import Broken, Conflict
from chalicelib.points.models.ledger import ledger_checkpoint
from chalicelib.points.proof import chain
from chalicelib.points.proof.chain import Block
from chalicelib.points.proof.sealed import STREAMS, Stream
from chalicelib.records import dataclass
from chalicelib.storage.engine import Database

log = logging.getLogger(__name__)

#: How far behind now a block ends. A Lambda ends after 15 minutes, and its transaction with it.
LAG: Final = timedelta(minutes=20)
#: How long closed blocks are looked at for rows that came late.
SWEPT: Final = timedelta(hours=26)
#: Rows of one block; it may be a few more, since rows of one key stay together.
BLOCK_ROWS: Final = 5_000
#: Blocks of one run; the next one goes on.
_BLOCKS_MAX: Final = 2_000
_BLOCK: Final = ledger_checkpoint.c


@dataclass(frozen=True, slots=True)
class Checkpointed:
    """What one run chained. ``late`` are rows that were committed after their block was closed."""

    blocks: int = 0
    rows: int = 0
    late: int = 0


def run(database: Database, *, now: datetime) -> Checkpointed:
    """Chain everything that is older than ``LAG`` and not chained yet. Dying half-way and running again are harmless.

    Raises Conflict when another run is at it, Broken when the chain was cut off, and Unavailable.
    """
    _require_whole(database)
    made: list[Block] = []
    late = 0
    for stream in STREAMS:
        while len(made) < _BLOCKS_MAX:
            block = _next(database, stream, now)
            if block is None:
                break
            made.append(block)
        found = _late(database, stream, now)
        made += found
        late += sum(block.rows for block in found)
    if made:
        chain.write_head(made[-1])
    if late:
        log.warning("Rows of the ledger were committed after their block was closed.", extra={"count": late})
    return Checkpointed(len(made), sum(block.rows for block in made), late)


def _require_whole(database: Database) -> None:
    """A chain that ends before its head in the archive is not gone on with: new blocks would hide what was cut off."""
    head = chain.read_head()
    with database.read() as db:
        if head is not None and not chain.leads_to(db, head):
            message = f"The ledger's chain does not lead to block {head.number} any more: somebody has cut it off."
            raise Broken(message, code="chain_cut_off")


def _next(database: Database, stream: Stream, now: datetime) -> Block | None:
    """Chain the next block of a stream; None when nothing is waiting."""
    until = chain.limit_key(stream, now - LAG)
    with database.read() as db:
        before = chain.latest(db, stream.name)
        after = chain.FIRST_KEY if before is None else before.until_key
        if until <= after:
            return None
        rows = db.execute(chain.rows_between(stream, after, until).limit(BLOCK_ROWS + 1)).all()
        if not rows:
            return None
        if len(rows) > BLOCK_ROWS:
            # Rows of one key stay together: the block ends before the key of the row that is too many, or with it.
            last = chain.order_key(stream, rows[-1])
            earlier = [row for row in rows if chain.order_key(stream, row) != last]
            until = chain.order_key(stream, earlier[-1]) if earlier else last
            rows = earlier or db.execute(chain.rows_between(stream, after, until)).all()
    return _chain(database, stream, rows, keys=(after, until), late_of=None, now=now)


def _late(database: Database, stream: Stream, now: datetime) -> list[Block]:
    """Chain the rows that have come into closed blocks since."""
    since = chain.limit_key(stream, now - SWEPT)
    waiting: list[tuple[Block, list[Row[Any]]]] = []
    with database.read() as db:
        closed = db.execute(
            select(ledger_checkpoint)
            .where(_BLOCK.stream == stream.name, _BLOCK.late_of.is_(None), _BLOCK.until_key > since)
            .order_by(_BLOCK.number)
        ).mappings()
        for block in [Block(**row) for row in closed]:
            chained = block.rows + _rows_late(db, block.number)
            if chain.count(db, stream, block.after_key, block.until_key) > chained:
                waiting.append((block, _not_chained(db, stream, block)))
    return [
        _chain(database, stream, rows, keys=(block.after_key, block.until_key), late_of=block.number, now=now)
        for block, rows in waiting
        if rows
    ]


def _rows_late(db: Connection, number: int) -> int:
    found = db.execute(select(func.sum(_BLOCK.rows)).where(_BLOCK.late_of == number)).scalar()
    return int(found or 0)


def _not_chained(db: Connection, stream: Stream, block: Block) -> list[Row[Any]]:
    known: set[tuple[str, ...]] = set()
    for each in (block, *chain.late_of(db, block.number)):
        found = chain.read_list(each)
        if found is None:
            raise Broken(f"The list of block {each.number} of the ledger's chain is gone.", code="chain_list_gone")
        known |= {row.key for row in found[1]}
    rows = db.execute(chain.rows_between(stream, block.after_key, block.until_key)).all()
    return [row for row, as_hashed in zip(rows, chain.hashed(stream, rows), strict=True) if as_hashed.key not in known]


def _chain(
    database: Database,
    stream: Stream,
    rows: Sequence[Row[Any]],
    *,
    keys: tuple[bytes, bytes],
    late_of: int | None,
    now: datetime,
) -> Block:
    """Write the list, then the block. A list whose block was never written is of no block, and harmless."""
    content = chain.listed(stream, stream.hashed, list(chain.hashed(stream, rows)))
    with database.read() as db:
        previous = chain.latest(db)
    block = chain.link(previous, stream, content, keys=keys, rows=len(rows), late_of=late_of, now=now)
    chain.write_list(block.number, content)
    try:
        database.run(lambda db: _write(db, block))
    except IntegrityError as error:
        raise Conflict("Another run is making a checkpoint of the ledger.", code="checkpoint_running") from error
    return block


def _write(db: Connection, block: Block) -> None:
    db.execute(insert(ledger_checkpoint), {name: getattr(block, name) for name in Block.__slots__})
