"""Which layout reads a file: the partner's own of that name, else the shared one, as live when the file arrived.

The version is written on the file row, so that every slice and every later try reads the file by the same layout.
"""

from collections import OrderedDict
from datetime import date, datetime
from threading import Lock

from sqlalchemy.engine import Connection

from chalicelib.errors import Broken
from chalicelib.files.register.register import InboundFile
from chalicelib.partners.directory import Partner
from chalicelib.partners.programs.programs import business_date
from chalicelib.records import dataclass
from chalicelib.rules import code_tables, layouts, rulesets
from chalicelib.rules.layouts import Layout
from chalicelib.rules.rulesets import LiveVersion

#: Parsed layouts kept by one process.
_KEPT_MAX = 64
_kept: OrderedDict[bytes, Layout] = OrderedDict()
_lock = Lock()


@dataclass(frozen=True, slots=True)
class Reading:
    """All that decides how the rows of one file are read: the layout's version, the day and the code tables."""

    version: LiveVersion
    layout: Layout
    day: date
    code_tables: dict[str, dict[str, str]]

    @property
    def dated_by_rows(self) -> bool:
        """Whether the rows say from when on they hold, rather than from the day on which the file arrives."""
        return bool(self.layout.compiled.outputs["effective_date"].columns)


#: A layout and the version that it is of.
Live = tuple[LiveVersion, Layout]


def in_force(db: Connection, partner: Partner, name: str, *, now: datetime) -> Live | None:
    """The live layout of that name for a partner; None when neither it nor the hub has one."""
    for code in (f"{partner.code}.{name}", name):
        version = rulesets.timeline(db, code, known_at=now).on(business_date(now, partner))
        if version is not None and version.kind == "layout" and version.partner_id in {None, partner.id}:
            return version, of_version(version)
    return None


def reading_of(db: Connection, file: InboundFile, partner: Partner) -> Reading:
    """How a registered file is read; the same for each of its slices. Raises Broken when it has no layout."""
    if file.layout_version_id is None or file.started_at is None:
        raise Broken(f"File {file.public_id} has no layout to be read by.")
    version = rulesets.version(db, file.layout_version_id)
    layout = of_version(version)
    day = business_date(file.arrived_at, partner)
    # As known when the file was first taken up: a table that changes between two slices must not split the file.
    tables = code_tables.resolve(db, layout.compiled.code_tables, on=day, known_at=file.started_at)
    return Reading(version, layout, day, tables)


def of_version(version: LiveVersion) -> Layout:
    """The parsed layout of a version; the same content is parsed once a process."""
    with _lock:
        known = _kept.get(version.content_hash)
        if known is not None:
            _kept.move_to_end(version.content_hash)
            return known
    parsed = layouts.parse(version.document)
    with _lock:
        _kept[version.content_hash] = parsed
        while len(_kept) > _KEPT_MAX:
            _kept.popitem(last=False)
    return parsed
