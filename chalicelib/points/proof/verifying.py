"""Whether the ledger is what it was: its rows against the signed chain, and its counters against its rows.

Both are bounded slices: a caller goes on where the answer says, so any size of ledger is verified by requests that end
in time. The chain tells what was altered, removed or inserted since it was chained; the sums tell it of what moves.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Literal

from sqlalchemy import select
from sqlalchemy.engine import Connection

from chalicelib.partners.account_ids import account_id
from chalicelib.partners.models.partners import program
from chalicelib.points.models.ledger import account
from chalicelib.points.proof import chain, checks
from chalicelib.points.proof.chain import Block, Hashed
from chalicelib.points.proof.checks import Break
from chalicelib.points.proof.of_causes import Part
from chalicelib.points.proof.sealed import STREAMS, Stream
from chalicelib.records import dataclass

#: Faults listed by one slice; a ledger with more is broken enough.
FAULTS_MAX: Final = 100
#: Blocks that one slice reads at most, and rows after which it begins no other block.
BLOCKS_MAX: Final = 200
ROWS_MAX: Final = 20_000
#: Accounts that one slice recomputes.
ACCOUNTS_MAX: Final = 2_000

Kind = Literal["altered", "removed", "inserted", "list_altered", "link_altered", "block_missing", "cut_off"]


@dataclass(frozen=True, slots=True)
class Fault:
    """One place where the ledger is not what was chained.

    ``table`` and ``key`` (column -> hexadecimal id or number) name a row; ``columns`` are those that differ, empty when
    the whole row does. A fault of the chain itself has no table.
    """

    kind: Kind
    block: int
    table: str | None = None
    key: Mapping[str, str] | None = None
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ChainVerified:
    """Blocks ``first`` to ``last`` and their ``rows`` were looked at; ``following`` is where to go on, if anywhere."""

    first: int
    last: int
    rows: int
    faults: tuple[Fault, ...]
    following: int | None


@dataclass(frozen=True, slots=True)
class SumsVerified:
    """So many accounts were recomputed; ``following`` is the account after which to go on, None at the end."""

    accounts: int
    breaks: tuple[Break, ...]
    faults: tuple[Fault, ...]
    following: bytes | None


def verify_chain(db: Connection, first: int = 1, *, last: int | None = None, rows_max: int = ROWS_MAX) -> ChainVerified:
    """Compare the rows of blocks from number ``first`` on, up to ``last``, with what was chained; a slice of them.

    The last slice looks for rows, too, whose keys keep them out of every block.
    Raises Unavailable, and Broken when the head in the archive is forged.
    """
    head = chain.read_head()
    newest = chain.latest(db)
    end = 0 if newest is None else newest.number
    if head is not None:
        end = max(end, head.number)
    wanted = end if last is None else min(last, end)
    faults: list[Fault] = []
    previous = next(iter(chain.blocks(db, first - 1, first - 1)), None)
    number, rows = first, 0
    for block in chain.blocks(db, first, min(wanted, first + BLOCKS_MAX - 1)):
        if rows >= rows_max or len(faults) >= FAULTS_MAX:
            break
        faults += [Fault("block_missing", missing) for missing in range(number, block.number)]
        faults += _link(block, previous)
        compared, found = _rows(db, block)
        faults += found
        rows += compared
        previous, number = block, block.number + 1
    else:
        # What should be there and is not, ends the slice too.
        ending = min(wanted, first + BLOCKS_MAX - 1)
        faults += [Fault("block_missing", missing) for missing in range(number, ending + 1)]
        number = max(number, ending + 1)
    cut = head is not None and not chain.leads_to(db, head)
    if cut and head is not None and first <= head.number < number:
        faults.append(Fault("cut_off", head.number))
    following = number if number <= wanted else None
    if following is None:
        faults += _outside(db)
    return ChainVerified(first, number - 1, rows, tuple(faults[:FAULTS_MAX]), following)


def verify_sums(
    db: Connection, *, program_id: bytes | None = None, after: bytes | None = None, accounts_max: int = ACCOUNTS_MAX
) -> SumsVerified:
    """Recompute the counters of the accounts after one id from the rows of the ledger; a slice of them."""
    columns = (account.c.id, account.c.partner_id, account.c.program_id, account.c.kind, account.c.owner_id)
    query = (
        select(*columns, program.c.partner_id.label("rightful_id"))
        .outerjoin_from(account, program, program.c.id == account.c.program_id)
        .order_by(account.c.id)
        .limit(accounts_max)
    )
    if program_id is not None:
        query = query.where(account.c.program_id == program_id)
    if after is not None:
        query = query.where(account.c.id > after)
    found = db.execute(query).all()
    until = found[-1].id if len(found) == accounts_max else None
    faults: list[Fault] = []
    for row in found:
        key = {"id": row.id.hex()}
        if account_id(row.program_id, row.kind, row.owner_id) != row.id:
            faults.append(Fault("altered", 0, "account", key, ("program_id", "kind", "owner_id")))
        if row.partner_id != row.rightful_id:
            faults.append(Fault("altered", 0, "account", key, ("partner_id",)))
    breaks = checks.check_part(db, Part(program_id, after, until))
    return SumsVerified(len(found), tuple(breaks), tuple(faults[:FAULTS_MAX]), until)


def _outside(db: Connection) -> Iterator[Fault]:
    """Rows that no block has, and none will have."""
    for stream in STREAMS:
        if stream.condition is None:
            for key in chain.outside(db, stream, most=FAULTS_MAX):
                named = dict(zip(stream.key, key, strict=True))
                yield Fault("inserted", 0, stream.kept.table.name, named)


def _link(block: Block, previous: Block | None) -> Iterator[Fault]:
    expected = chain.GENESIS if previous is None else previous.chain_hash
    if not block.signed or (block.previous_hash != expected and (previous is not None or block.number == 1)):
        yield Fault("link_altered", block.number)


def _rows(db: Connection, block: Block) -> tuple[int, list[Fault]]:
    """How many rows of a block's keys were compared, and what is wrong with them."""
    stream = chain.BY_NAME.get(block.stream)
    if stream is None:
        return 0, [Fault("link_altered", block.number)]
    if block.late_of is not None:
        # Its rows are between the keys of an earlier block, and are compared with that one's.
        return 0, []
    after, until = block.after_key, block.until_key
    there = db.execute(chain.rows_between(stream, after, until)).all()
    chained: dict[tuple[str, ...], tuple[Hashed, tuple[str, ...]]] = {}
    faults: list[Fault] = []
    for each in (block, *chain.late_of(db, block.number)):
        known = chain.read_list(each)
        if known is None:
            faults.append(Fault("list_altered", each.number))
            remade = chain.listed(stream, stream.hashed, list(chain.hashed(stream, there)))
            if chain.digest(remade) == each.content_hash:
                # The list is gone, and the rows are still those that it was made of.
                chained |= {row.key: (row, tuple(stream.hashed)) for row in chain.hashed(stream, there)}
            continue
        columns, rows = known
        chained |= {row.key: (row, columns) for row in rows}
    if faults and not chained:
        return len(there), faults
    return len(there), [*faults, *_compared(stream, block, there, chained)]


def _compared(
    stream: Stream,
    block: Block,
    there: Sequence[chain.AnyRow],
    chained: dict[tuple[str, ...], tuple[Hashed, tuple[str, ...]]],
) -> Iterator[Fault]:
    table = stream.kept.table.name
    now = list(chain.hashed(stream, there))
    usual = tuple(stream.hashed)
    for at, row in enumerate(now):
        key = dict(zip(stream.key, row.key, strict=True))
        was, columns = chained.pop(row.key, (None, usual))
        if was is None:
            yield Fault("inserted", block.number, table, key)
            continue
        # A list that was made before a migration names the columns that there were.
        same = row if columns == usual else next(chain.hashed(stream, [there[at]], columns))
        if same.digest != was.digest:
            differing = tuple(name for name in columns if same.columns[name] != was.columns[name])
            yield Fault("altered", block.number, table, key, differing)
    for gone in chained:
        yield Fault("removed", block.number, table, dict(zip(stream.key, gone, strict=True)))
