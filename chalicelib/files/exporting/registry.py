"""Which files the hub can send: what each is made of, for whom, and by whom it may be asked for."""

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from datetime import date, datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias

from sqlalchemy.engine import Connection

from chalicelib.access.scopes import Scope
from chalicelib.errors import NotFound
from chalicelib.files.exporting import layouts
from chalicelib.files.exporting.layouts import OutLayout
from chalicelib.partners.directory import Partner
from chalicelib.records import dataclass

Mode: TypeAlias = Literal["full", "delta"]
Row: TypeAlias = Mapping[str, Any]
_KEY_BYTES: Final = 16
_VERSION_BYTES: Final = 8


class Marks:
    """Up to which version of what a file goes: 24 bytes each, so that a million of them fit into memory."""

    def __init__(self) -> None:
        self._kept = bytearray()

    def note(self, key: bytes, version: int) -> None:
        """The file shows ``key`` (16 bytes) as of this version."""
        self._kept += key + version.to_bytes(_VERSION_BYTES)

    def clear(self) -> None:
        """Forget them all."""
        self._kept.clear()

    def __len__(self) -> int:
        return len(self._kept) // (_KEY_BYTES + _VERSION_BYTES)

    def __iter__(self) -> Iterator[tuple[bytes, int]]:
        """Key and version of each, in the order of their noting."""
        step = _KEY_BYTES + _VERSION_BYTES
        for start in range(0, len(self._kept), step):
            key_end = start + _KEY_BYTES
            yield bytes(self._kept[start:key_end]), int.from_bytes(self._kept[key_end : start + step])


@dataclass(frozen=True, slots=True)
class Asked:
    """One file to be made. ``partner`` None: of every partner, for an outside system. Days are in the partner's zone.

    ``day`` is its business date, ``period`` its first and last day (of exports that have one), ``reference`` the public
    id of what it is about (of exports that have that). ``as_of`` is the moment of the one consistent read.
    ``marks`` is where a delta notes what it shows.
    """

    receiver: str
    partner: Partner | None
    mode: Mode
    day: date
    period: tuple[date, date] | None
    reference: str | None
    as_of: datetime
    file_seq: int
    marks: Marks


@dataclass(frozen=True, slots=True)
class Export:
    """A kind of file. Its layout is ``exports/<name>.json``.

    ``rows`` gives the rows out of one consistent read, in chunks, each with exactly the layout's columns; the
    connection is read-only. It may raise an InterlineError: the export then has failed, with that code.
    ``system``: the outside system that it can be sent to, of all partners; None: to partners only. ``partners``:
    whether a partner gets its own, in its own folder. ``scopes``: what, beside ``files:write`` to ask and
    ``files:read`` to fetch, a key must be permitted, since the file says it. ``has_period`` and ``has_reference``:
    must be asked for with it; such a file is sent once. ``deltas``: it can be asked for as what has changed since the
    delta before; ``marks_of`` then tells from rows of a written file what ``rows`` noted when it gave them, so that
    nothing is said twice when a writer died. ``skip_empty``: without rows no file is sent; a delta without rows never
    is. ``stem`` is the first part of the file's name.
    """

    name: str
    rows: Callable[[Connection, Asked], Iterable[Row]]
    scopes: frozenset[Scope]
    system: str | None = None
    partners: bool = True
    has_period: bool = False
    has_reference: bool = False
    deltas: bool = False
    marks_of: Callable[[Connection, "Asked", Sequence[Row]], Iterable[tuple[bytes, int]]] | None = None
    skip_empty: bool = False
    stem: Callable[[Asked], str] | None = field(default=None)

    @property
    def layout(self) -> OutLayout:
        """By which its file is written and read."""
        return layouts.named(self.name)

    def file_name(self, asked: Asked) -> str:
        """``payroll_feed_2026-11-01_2026-11-15_00000003.csv``: the same for the same request and number."""
        if self.stem is not None:
            begin = self.stem(asked)
        elif asked.period is not None:
            begin = f"{self.name}_{asked.period[0]}_{asked.period[1]}"
        else:
            begin = f"{self.name}_{asked.day}"
        return f"{begin}_{asked.file_seq:08d}{'_delta' if asked.mode == 'delta' else ''}.csv"


@lru_cache(maxsize=1)
def exports() -> Mapping[str, Export]:
    """Every export by name. They are found by looking, so none can be forgotten."""
    from chalicelib.files import exports as folder

    found: dict[str, Export] = {}
    for module in pkgutil.iter_modules(folder.__path__, f"{folder.__name__}."):
        export = getattr(importlib.import_module(module.name), "EXPORT", None)
        if export is not None:
            found[export.name] = export
    return MappingProxyType(dict(sorted(found.items())))


def export_named(name: str) -> Export:
    """The export of that name. Raises NotFound."""
    found = exports().get(name)
    if found is None:
        raise NotFound(f"There is no export {name!r}: there are {', '.join(exports())}.", code="export_unknown")
    return found
