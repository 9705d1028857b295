"""The hash chain over the ledger's immutable columns: rows, blocks of rows, and the signed links between blocks.

A block is the rows of one stream (``points.proof.sealed``) after one key up to another. Its *list* names each row with
its hash and a short hash of each column, so that an altered row, and which of its columns, can be named later. The list
is made of the rows alone: whoever has the rows can make it again. It is kept in the archive bucket, apart from the
database; the block in the database has its hash, the hash of the block before it, and a signature.
"""

import gzip
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from typing import Any, Final, TypeAlias

from sqlalchemy import ColumnElement, Row, Select, func, or_, select
from sqlalchemy.engine import Connection

from chalicelib.errors import Broken, NotFound
from chalicelib.points.models.ledger import ledger_checkpoint
from chalicelib.points.proof import erasing
from chalicelib.points.proof.sealed import STREAMS, Stream
from chalicelib.records import dataclass
from chalicelib.settings import settings
from chalicelib.storage import objects, signing
from chalicelib.storage.ids import new_id
from chalicelib.storage.signing import Signature

AnyRow: TypeAlias = Row[Any]

#: Before every key.
FIRST_KEY: Final = bytes(16)
#: The hash that the first block names as the one before it.
GENESIS: Final = bytes(32)

BY_NAME: Final[Mapping[str, Stream]] = {stream.name: stream for stream in STREAMS}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_COLUMN_HASH_CHARACTERS: Final = 10
#: How far the clocks of the hub's processes may be apart.
_SKEW: Final = timedelta(minutes=10)
_BLOCK: Final = ledger_checkpoint.c


@dataclass(frozen=True, slots=True)
class Hashed:
    """One row of a list: its key as text, its hash, and the short hash of each column by name."""

    key: tuple[str, ...]
    digest: str
    columns: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Block:
    """One block as the database has it."""

    number: int
    stream: str
    late_of: int | None
    after_key: bytes
    until_key: bytes
    rows: int
    content_hash: bytes
    previous_hash: bytes
    chain_hash: bytes
    key_no: int
    signature: bytes
    made_at: datetime

    @property
    def object_key(self) -> str:
        """Where its list is, in the archive bucket."""
        return object_key(self.number, self.content_hash)

    @property
    def linked_hash(self) -> bytes:
        """What ``chain_hash`` must be."""
        said = (self.number, self.stream, self.late_of, self.after_key.hex(), self.until_key.hex(), self.rows)
        text = json.dumps([*said, self.content_hash.hex(), self.previous_hash.hex(), moment_text(self.made_at)])
        return sha256(text.encode()).digest()

    @property
    def signed(self) -> bool:
        """Whether the link is whole and signed by the hub."""
        return self.linked_hash == self.chain_hash and signing.holds(
            self.chain_hash, Signature(self.key_no, self.signature)
        )


@dataclass(frozen=True, slots=True)
class Head:
    """The latest block, as the archive bucket has it: a chain that is cut off in the database ends before it."""

    number: int
    chain_hash: bytes


def bucket() -> str:
    """The bucket of the lists."""
    return settings().bucket("hub-archive")


def object_key(number: int, content_hash: bytes) -> str:
    """Where the list of a block is."""
    return f"ledger-chain/{number:012}-{content_hash.hex()[:16]}.json.gz"


_HEAD_KEY: Final = "ledger-chain/head.json"


def moment_key(moment: datetime) -> bytes:
    """A moment as a key of 16 bytes that is ordered like it."""
    return ((moment - _EPOCH) // _MICROSECOND).to_bytes(8) + bytes(8)


def id_key(moment: datetime) -> bytes:
    """The last key that an id made before a moment may have: ids begin with their milliseconds."""
    return (((moment - _EPOCH) // timedelta(milliseconds=1) << 80) - 1).to_bytes(16)


def limit_key(stream: Stream, moment: datetime) -> bytes:
    """The last key of what was made before a moment."""
    return moment_key(moment - _MICROSECOND) if stream.by_moment else id_key(moment)


def order_key(stream: Stream, row: Row[Any]) -> bytes:
    """Where a row stands in its stream."""
    value = row._mapping[stream.order]  # noqa: SLF001 - SQLAlchemy's public name for it
    return moment_key(value) if isinstance(value, datetime) else bytes(value)


def _bounds(stream: Stream, after_key: bytes, until_key: bytes) -> list[ColumnElement[bool]]:
    column: ColumnElement[Any] = stream.kept.column(stream.order)
    conditions: list[ColumnElement[bool]] = [] if stream.condition is None else [stream.condition]
    if not stream.by_moment:
        return [*conditions, column > after_key, column <= until_key]
    return [*conditions, column > _moment(after_key), column <= _moment(until_key)]


def _moment(key: bytes) -> datetime:
    return _EPOCH + int.from_bytes(key[:8]) * _MICROSECOND


def count(db: Connection, stream: Stream, after_key: bytes, until_key: bytes) -> int:
    """How many rows a stream has between two keys now."""
    query = select(func.count()).select_from(stream.kept.table).where(*_bounds(stream, after_key, until_key))
    return db.execute(query).scalar_one()


def rows_between(stream: Stream, after_key: bytes, until_key: bytes) -> Select[Any]:
    """The rows of a stream between two keys, in its order."""
    names = dict.fromkeys((*stream.hashed, *stream.key, stream.order))
    order = dict.fromkeys((stream.order, *stream.key))
    columns: Any = [stream.kept.column(name) for name in names]
    query: Select[Any] = select(*columns)
    return query.where(*_bounds(stream, after_key, until_key)).order_by(*map(stream.kept.column, order))


def hashed(stream: Stream, rows: Iterable[Row[Any]], columns: Sequence[str] | None = None) -> Iterator[Hashed]:
    """Each row with its hashes; ``columns`` as they were when an older list was made."""
    names = tuple(columns or stream.hashed)
    table = stream.kept.table.name
    for row in rows:
        values = row._mapping  # noqa: SLF001 - SQLAlchemy's public name for it
        texts = [_text(_kept(table, name, values)) if name in values else None for name in names]
        whole = sha256(json.dumps([table, names, texts], separators=(",", ":")).encode()).hexdigest()
        short = {
            name: sha256(f"{name}={text!r}".encode()).hexdigest()[:_COLUMN_HASH_CHARACTERS]
            for name, text in zip(names, texts, strict=True)
        }
        yield Hashed(tuple(_text(values[name]) or "" for name in stream.key), whole, short)


def _kept(table: str, name: str, values: Mapping[Any, Any]) -> object:
    """What is hashed of a value: of words that may be erased their trace; of an event's facts, all but these."""
    value = values[name]
    if erasing.is_text(table, name):
        return erasing.trace(name, values["id"], value)
    if (table, name) == ("accrual_event", "facts") and isinstance(value, str):
        return erasing.without_person(value)
    return value


def _text(value: object) -> str | None:
    """A value as the same text on every database."""
    if value is None:
        return None
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, datetime):
        return moment_text(value)
    if isinstance(value, date):
        return value.isoformat()
    return str(value)


def moment_text(moment: datetime) -> str:
    """A moment in UTC with its microseconds."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def listed(stream: Stream, columns: Sequence[str], rows: Sequence[Hashed]) -> bytes:
    """The list of a block's rows, before it is compressed."""
    lines = [json.dumps({"stream": stream.name, "columns": list(columns)}, separators=(",", ":"))]
    lines += [
        json.dumps([*row.key, row.digest, "".join(row.columns[name] for name in columns)], separators=(",", ":"))
        for row in rows
    ]
    return "\n".join(lines).encode()


def digest(content: bytes) -> bytes:
    """What a block says of its list."""
    return sha256(content).digest()


def write_list(number: int, content: bytes) -> None:
    """Keep the list of a block. Raises Unavailable."""
    objects.put(
        bucket(),
        object_key(number, digest(content)),
        gzip.compress(content, mtime=0),
        content_type="application/gzip",
    )


def read_list(block: Block) -> tuple[tuple[str, ...], list[Hashed]] | None:
    """The columns and rows of a block's list; None when it is gone or is not what was hashed. Raises Unavailable."""
    try:
        with objects.open_range(bucket(), block.object_key) as source:
            content = gzip.decompress(source.read())
    except (NotFound, OSError, EOFError):
        return None
    if digest(content) != block.content_hash:
        return None
    head, *lines = content.decode().split("\n")
    columns = tuple(json.loads(head)["columns"])
    return columns, [_unlisted(columns, json.loads(line)) for line in lines]


def _unlisted(columns: Sequence[str], said: Sequence[str]) -> Hashed:
    *key, whole, short = said
    width = _COLUMN_HASH_CHARACTERS
    parts = [short[at : at + width] for at in range(0, len(short), width)]
    return Hashed(tuple(key), whole, dict(zip(columns, parts, strict=True)))


def link(
    previous: Block | None,
    stream: Stream,
    content: bytes,
    *,
    keys: tuple[bytes, bytes],
    rows: int,
    late_of: int | None,
    now: datetime,
) -> Block:
    """The block that comes after ``previous``, signed."""
    unsigned = Block(
        number=1 if previous is None else previous.number + 1,
        stream=stream.name,
        late_of=late_of,
        after_key=keys[0],
        until_key=keys[1],
        rows=rows,
        content_hash=digest(content),
        previous_hash=GENESIS if previous is None else previous.chain_hash,
        chain_hash=b"",
        key_no=0,
        signature=b"",
        made_at=now,
    )
    chain_hash = unsigned.linked_hash
    signature = signing.sign(chain_hash)
    values = {name: getattr(unsigned, name) for name in Block.__slots__}
    return Block(**{**values, "chain_hash": chain_hash, "key_no": signature.key_no, "signature": signature.digest})


def latest(db: Connection, stream: str | None = None) -> Block | None:
    """The latest block, of all or of one stream without the late ones."""
    query = select(ledger_checkpoint).order_by(_BLOCK.number.desc()).limit(1)
    if stream is not None:
        query = query.where(_BLOCK.stream == stream, _BLOCK.late_of.is_(None))
    return _one(db.execute(query).first())


def blocks(db: Connection, first: int, last: int) -> list[Block]:
    """The blocks of these numbers that there are, in order."""
    query = select(ledger_checkpoint).where(_BLOCK.number.between(first, last)).order_by(_BLOCK.number)
    return [Block(**row) for row in db.execute(query).mappings()]


def late_of(db: Connection, number: int) -> list[Block]:
    """The blocks of rows that were committed after the block of a number, between its keys."""
    query = select(ledger_checkpoint).where(_BLOCK.late_of == number).order_by(_BLOCK.number)
    return [Block(**row) for row in db.execute(query).mappings()]


def write_head(block: Block) -> None:
    """Keep which block is the latest where the database does not reach. Raises Unavailable."""
    said = {"number": block.number, "chain_hash": block.chain_hash.hex()}
    signature = signing.sign(json.dumps(said).encode())
    signed = {**said, "key_no": signature.key_no, "signature": signature.digest.hex()}
    objects.put(bucket(), _HEAD_KEY, json.dumps(signed).encode(), content_type="application/json")


def read_head() -> Head | None:
    """The latest block as the archive bucket has it; None before the first. Raises Unavailable, Broken if forged."""
    try:
        with objects.open_range(bucket(), _HEAD_KEY) as source:
            signed = json.loads(source.read())
    except NotFound:
        return None
    said = {"number": signed["number"], "chain_hash": signed["chain_hash"]}
    signature = Signature(signed["key_no"], bytes.fromhex(signed["signature"]))
    if not signing.holds(json.dumps(said).encode(), signature):
        raise Broken("The head of the ledger's chain in the archive is not signed by the hub.", code="head_forged")
    return Head(said["number"], bytes.fromhex(said["chain_hash"]))


def leads_to(db: Connection, head: Head) -> bool:
    """Whether the chain in the database leads to a head that the archive has."""
    found = db.execute(select(_BLOCK.chain_hash).where(_BLOCK.number == head.number)).scalar_one_or_none()
    return found == head.chain_hash


def outside(db: Connection, stream: Stream, *, most: int) -> list[tuple[str, ...]]:
    """The keys of rows that no block will ever have, or not for long: before every key, or of a time to come.

    Of streams that are ordered by ids, which begin with the time at which the hub made them.
    """
    if stream.by_moment:
        return []
    column: ColumnElement[Any] = stream.kept.column(stream.order)
    latest = (int.from_bytes(new_id()) + (_SKEW // timedelta(milliseconds=1) << 80)).to_bytes(16)
    keys = [stream.kept.column(name) for name in stream.key]
    query = select(*keys).where(or_(column <= FIRST_KEY, column > latest)).order_by(*keys).limit(most)
    return [tuple(_text(value) or "" for value in row) for row in db.execute(query)]


def _one(row: Row[Any] | None) -> Block | None:
    return None if row is None else Block(**row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for it
