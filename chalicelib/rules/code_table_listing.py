"""Which code tables there are, and what they say: on a day, now or as it was known at a moment."""

from datetime import date, datetime

from sqlalchemy import and_, func, or_, select
from sqlalchemy.engine import Connection

from chalicelib.errors import NotFound
from chalicelib.records import dataclass
from chalicelib.rules.code_table_content import Entry, of_row
from chalicelib.rules.models import code_table, code_table_entry

_TABLE = code_table.c
_ENTRY = code_table_entry.c


@dataclass(frozen=True, slots=True)
class CodeTable:
    """One table; ``entries`` is how many there are now. ``partner_id`` None: every partner may use it."""

    id: bytes
    code: str
    partner_id: bytes | None
    owner: str
    value_declaration: str | None
    content_hash: bytes
    created_at: datetime
    changed_at: datetime
    entries: int


@dataclass(frozen=True, slots=True)
class Recorded:
    """One entry with the time in which the hub knew it so; ``superseded_at`` None: it still does."""

    id: bytes
    entry: Entry
    recorded_at: datetime
    superseded_at: datetime | None

    @property
    def position(self) -> tuple[str, str, bytes]:
        """Where it stands in the list of its table."""
        return self.entry.code, self.entry.effective_from.isoformat(), self.id


_COUNT = (
    select(func.count())
    .where(_ENTRY.table_id == _TABLE.id, _ENTRY.superseded_at.is_(None))
    .correlate(code_table)
    .scalar_subquery()
)
_LISTED = select(code_table, _COUNT.label("entries")).order_by(_TABLE.code)


def in_order(db: Connection, *, partner_id: bytes | None, after_code: str | None, limit: int) -> list[CodeTable]:
    """Up to ``limit`` tables by code, following ``after_code``; ``partner_id`` sees its own and the shared ones."""
    wanted = _LISTED.limit(limit)
    if partner_id is not None:
        wanted = wanted.where(or_(_TABLE.partner_id.is_(None), _TABLE.partner_id == partner_id))
    if after_code is not None:
        wanted = wanted.where(_TABLE.code > after_code)
    return [CodeTable(**row._mapping) for row in db.execute(wanted)]  # noqa: SLF001 - a row's public name


def find(db: Connection, code: str, *, partner_id: bytes | None) -> CodeTable:
    """One table that ``partner_id`` (None: every partner) may see. Raises NotFound."""
    for row in db.execute(_LISTED.where(_TABLE.code == code)):
        if row.code == code and (partner_id is None or row.partner_id in {None, partner_id}):
            return CodeTable(**row._mapping)  # noqa: SLF001 - a row's public name
    raise NotFound(f"There is no code table {code!r}.")


def entries(
    db: Connection,
    table_id: bytes,
    *,
    code: str | None = None,
    on: date | None = None,
    known_at: datetime | None = None,
    after: tuple[str, date, bytes] | None = None,
    limit: int,
) -> list[Recorded]:
    """Up to ``limit`` entries by code and first day, following ``after``.

    ``on``: only those that hold on the day. ``known_at``: as the hub knew them at that moment, else as it does now.
    """
    wanted = select(code_table_entry).where(_ENTRY.table_id == table_id)
    if known_at is None:
        wanted = wanted.where(_ENTRY.superseded_at.is_(None))
    else:
        still = or_(_ENTRY.superseded_at.is_(None), _ENTRY.superseded_at > known_at)
        wanted = wanted.where(_ENTRY.recorded_at <= known_at, still)
    if code is not None:
        wanted = wanted.where(_ENTRY.entry_code == code)
    if on is not None:
        wanted = wanted.where(
            _ENTRY.effective_from <= on, or_(_ENTRY.effective_to.is_(None), _ENTRY.effective_to >= on)
        )
    if after is not None:
        after_code, first, identity = after
        later = or_(_ENTRY.effective_from > first, and_(_ENTRY.effective_from == first, _ENTRY.id > identity))
        wanted = wanted.where(or_(_ENTRY.entry_code > after_code, and_(_ENTRY.entry_code == after_code, later)))
    rows = db.execute(wanted.order_by(_ENTRY.entry_code, _ENTRY.effective_from, _ENTRY.id).limit(limit))
    return [Recorded(row.id, of_row(row), row.recorded_at, row.superseded_at) for row in rows]
