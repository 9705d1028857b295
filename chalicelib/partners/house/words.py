"""Words that are only added to: what a source says of a key, each word with a version, of which the latest holds.

Two ways of telling which is the latest. Without a version of its own, a later word about the same key is a correction
and gets the next number. With one (a sequence, a time of change), an older word than the one known is ignored. A word
that was withdrawn with its file is kept under a version below zero: it does not hold, and its number is free.
"""

from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import Select, Table, and_, func, select, update
from sqlalchemy.engine import Connection

from chalicelib.access.caller import Caller
from chalicelib.errors import Unavailable
from chalicelib.partners.provenance import ACCEPTED, DUPLICATE, RowSource, Told, refused
from chalicelib.records import dataclass
from chalicelib.rules import canonical
from chalicelib.storage import bulk
from chalicelib.storage.ids import new_ids

#: How often words that another writer overtook are placed anew. Each time the other's are known.
_PASSES_MAX: Final = 5
OLDER: Final = Told("ignored", "older", None, "Something newer is known already.")
_BELOW_ZERO: Final = refused("date_out_of_range", None, "Words are numbered from 0 on: by time, from 1970 on.")
_OTHER: Final = refused("other_content", None, "The source said something else under the same number before.")


@dataclass(frozen=True, slots=True)
class Word:
    """One statement. ``version`` None: a correction of whatever was said of the key before.

    ``also`` are further columns; what is secret in them has its part in ``digest``, the hash of everything said.
    """

    key: tuple[Any, ...]
    content: Mapping[str, Any]
    version: int | None = None
    also: Mapping[str, Any] = field(default_factory=dict)
    digest: bytes | None = None
    id: bytes | None = None

    @property
    def text(self) -> str:
        """What is said, as it is kept."""
        return canonical.text(self.content)

    @property
    def hash(self) -> bytes:
        """What two words must share to say the same."""
        return self.digest or canonical.digest(self.text)


class _Latest(NamedTuple):
    version: int
    hash: bytes


def add(
    db: Connection,
    table: Table,
    key: Sequence[str],
    words: Mapping[int, Word],
    *,
    sources: Sequence[RowSource],
    caller: Caller,
    now: datetime,
) -> dict[int, Told]:
    """Add what is new, in order; what became of each word, by its place. ``sources`` has a place for every row.

    A word that is known is a duplicate, an older one is ignored, and another one under the source's own number is
    refused. Raises Unavailable when other writers overtook it too often.
    """
    if not words:
        return {}
    keys = sorted({word.key for word in words.values()})
    for _ in range(_PASSES_MAX):
        told, rows = _placed(words, _latest(db, table, key, keys), key, sources, caller, now)
        rows.sort(key=lambda row: tuple(row[name] for name in (*key, "version")))
        savepoint = db.begin_nested()
        if not bulk.insert_new(db, table, rows, key=(*key, "version")):
            savepoint.commit()
            return told
        savepoint.rollback()
    raise Unavailable("Other writers keep changing the same records: send it again.", code="batch_overtaken")


def withdraw(db: Connection, table: Table, ids: Sequence[bytes]) -> None:
    """Let these words not hold any more: the latest other word about each key holds again."""
    for chunk in bulk.in_chunks(sorted(ids)):
        held = (table.c.id.in_(chunk), table.c.version >= 0)
        db.execute(update(table).where(*held).values(version=-table.c.seq))


def latest(table: Table, key: Sequence[str]) -> Select[Any]:
    """The latest word about each key. Conditions on the key's columns are added by ``where``."""
    columns = [table.c[name] for name in key]
    newer = table.alias("newer")
    overtaken = select(newer.c.id).where(*(newer.c[name] == table.c[name] for name in key))
    holds = ~overtaken.where(newer.c.version > table.c.version).exists()
    return select(table).where(table.c.version >= 0, holds).order_by(*columns)


def _latest(
    db: Connection, table: Table, key: Sequence[str], keys: Sequence[tuple[Any, ...]]
) -> dict[tuple[Any, ...], _Latest]:
    columns = [table.c[name] for name in key]
    found: dict[tuple[Any, ...], _Latest] = {}
    for chunk in bulk.in_chunks(keys):
        last = (
            select(*columns, func.max(table.c.version).label("version"))
            .where(bulk.key_in(table, key, chunk), table.c.version >= 0)
            .group_by(*columns)
            .subquery()
        )
        same = and_(*(table.c[name] == last.c[name] for name in (*key, "version")))
        for *of, version, digest in db.execute(
            select(*columns, table.c.version, table.c.content_hash).join_from(table, last, same)
        ):
            found[tuple(of)] = _Latest(version, digest)
    return found


def _placed(
    words: Mapping[int, Word],
    known: dict[tuple[Any, ...], _Latest],
    key: Sequence[str],
    sources: Sequence[RowSource],
    caller: Caller,
    now: datetime,
) -> tuple[dict[int, Told], list[dict[str, Any]]]:
    """What becomes of each word, and the rows of those that are new."""
    told: dict[int, Told] = {}
    rows: list[dict[str, Any]] = []
    for (at, word), own in zip(words.items(), new_ids(len(words)), strict=True):
        before = known.get(word.key)
        told[at] = _judged(word, before)
        if told[at].outcome != "accepted":
            continue
        version = word.version if word.version is not None else (before.version + 1 if before else 1)
        known[word.key] = _Latest(version, word.hash)
        file_id, row_no, byte_offset, byte_length = sources[at]
        rows.append(
            {
                "id": word.id or own,
                **dict(zip(key, word.key, strict=True)),
                "version": version,
                "content": word.text,
                "content_hash": word.hash,
                **word.also,
                "source_file_id": file_id,
                "row_no": row_no,
                "byte_offset": byte_offset,
                "byte_length": byte_length,
                "actor": caller.actor,
                "correlation_id": caller.correlation_id,
                "recorded_at": now,
            }
        )
    return told, rows


def _judged(word: Word, before: _Latest | None) -> Told:
    if word.version is not None and word.version < 0:
        return _BELOW_ZERO
    if before is None:
        return ACCEPTED
    if word.version is None or word.version == before.version:
        if word.hash == before.hash:
            return DUPLICATE
        return ACCEPTED if word.version is None else _OTHER
    return ACCEPTED if word.version > before.version else OLDER
