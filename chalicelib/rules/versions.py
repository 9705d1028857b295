"""The stored versions of rulesets, and which of them decides on which day."""

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from functools import cached_property
from threading import Lock
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.engine import Connection, Row

from chalicelib.errors import NotFound
from chalicelib.language import Compiled, compile_ruleset, parse_json
from chalicelib.records import dataclass
from chalicelib.rules.models import ruleset, ruleset_activation, ruleset_version

#: Compiled versions kept by one process; a version is some 50 KB once compiled.
CACHED_VERSIONS_MAX = 256


@dataclass(frozen=True, eq=False)
class LiveVersion:
    """One immutable version of a ruleset. ``content_hash`` is the SHA-256 of its canonical JSON.

    While it is cached, each reader gets the same object; ``version_id`` tells versions apart beyond that.
    """

    version_id: bytes
    number: int
    content_hash: bytes
    ruleset_code: str
    kind: str
    partner_id: bytes | None
    created_by: str
    created_at: datetime
    document: Mapping[str, Any]

    @cached_property
    def compiled(self) -> Compiled:
        """The rule, ready to decide; compiled once a process. A layout is compiled by ``rules.layouts``."""
        return compile_ruleset(self.document)

    @cached_property
    def effective_from(self) -> date | None:
        """The first day for which this version may be activated, if its document names one."""
        return self._day("from")

    @cached_property
    def effective_to(self) -> date | None:
        """The last day on which this version may decide, if its document names one."""
        return self._day("to")

    def _day(self, name: str) -> date | None:
        written = (self.document.get("effective") or {}).get(name)
        return None if written is None else date.fromisoformat(written)


class Timeline:
    """Which version of one ruleset decides on each day, as known at one moment."""

    def __init__(self, code: str, steps: Sequence[tuple[date, LiveVersion]]) -> None:
        self.code = code
        #: The first day of each stretch and what decides in it.
        self.steps = tuple(steps)
        self._starts = [start for start, _ in steps]

    def on(self, day: date) -> LiveVersion | None:
        """The version that decides an event of this day; None before the first and after a version's last day."""
        index = bisect_right(self._starts, day)
        if index == 0:
            return None
        version = self.steps[index - 1][1]
        return None if version.effective_to is not None and day > version.effective_to else version


_ACTIVATIONS = (
    select(
        ruleset.c.code,
        ruleset_activation.c.effective_from,
        ruleset_activation.c.activated_at,
        ruleset_activation.c.version_id,
    )
    .join(ruleset, ruleset.c.id == ruleset_activation.c.ruleset_id)
    .where(
        ruleset.c.code.in_(bindparam("codes", expanding=True)),
        ruleset_activation.c.activated_at <= bindparam("known_at"),
    )
)
_VERSIONS = select(ruleset_version, ruleset.c.code.label("ruleset_code"), ruleset.c.kind, ruleset.c.partner_id).join(
    ruleset, ruleset.c.id == ruleset_version.c.ruleset_id
)
_BY_IDS = _VERSIONS.where(ruleset_version.c.id.in_(bindparam("ids", expanding=True)))
_BY_NUMBER = _VERSIONS.where(ruleset.c.code == bindparam("code"), ruleset_version.c.number == bindparam("number"))

_cache: OrderedDict[bytes, LiveVersion] = OrderedDict()
_cache_lock = Lock()


def timeline(db: Connection, code: str, *, known_at: datetime) -> Timeline:
    """Which versions of one ruleset decide; see ``timelines``."""
    return timelines(db, [code], known_at=known_at)[code]


def timelines(db: Connection, codes: Collection[str], *, known_at: datetime) -> dict[str, Timeline]:
    """Which versions of each ruleset decide, as known at ``known_at``; empty where there is no such ruleset.

    The latest activation wins for every day from its ``effective_from`` on. One statement, and another one for versions
    that this process has not met yet; ``Timeline.on`` needs none.
    """
    activations: dict[str, list[tuple[date, datetime, bytes]]] = {code: [] for code in codes}
    if activations:
        for row in db.execute(_ACTIVATIONS, {"codes": list(activations), "known_at": known_at}):
            # MySQL also finds `hours` for "hours " with a blank.
            if row.code in activations:
                activations[row.code].append((row.effective_from, row.activated_at, row.version_id))
    steps = {code: deciding(each) for code, each in activations.items()}
    found = _load(db, [version_id for each in steps.values() for _, version_id in each])
    return {code: Timeline(code, [(start, found[each]) for start, each in steps[code]]) for code in steps}


def deciding(activations: Iterable[tuple[date, datetime, bytes]]) -> list[tuple[date, bytes]]:
    """From (effective from, activated at, version): the first day of each stretch and what decides in it."""
    steps: list[tuple[date, bytes]] = []
    latest: datetime | None = None
    for start, activated_at, version_id in sorted(activations):
        if latest is None or activated_at > latest:
            latest = activated_at
            if steps and steps[-1][0] == start:
                steps.pop()
            if not steps or steps[-1][1] != version_id:
                steps.append((start, version_id))
    return steps


def version(db: Connection, version_id: bytes) -> LiveVersion:
    """One version by its id. Raises NotFound."""
    found = _load(db, [version_id]).get(version_id)
    if found is None:
        raise NotFound("There is no such version of a ruleset.")
    return found


def by_number(db: Connection, code: str, number: int) -> LiveVersion:
    """One version of a ruleset by its number. Raises NotFound."""
    row = db.execute(_BY_NUMBER, {"code": code, "number": number}).first()
    if row is None:
        raise unknown(code, number)
    return _kept(row)


def locked(db: Connection, code: str) -> Row[Any] | None:
    """The row of a ruleset, locked: whoever changes what it decides, or what it is held to, takes turns here."""
    return db.execute(select(ruleset).where(ruleset.c.code == code).with_for_update()).first()


def require_locked(db: Connection, code: str) -> Row[Any]:
    """The locked row of a ruleset that there is. Raises NotFound."""
    found = locked(db, code)
    if found is None:
        raise NotFound(f"There is no ruleset {code!r}.")
    return found


def unknown(code: str, number: int) -> NotFound:
    """The error for a version that there is not, or that the caller may not know of: both read the same."""
    return NotFound(f"There is no version {number} of ruleset {code!r}.")


def _load(db: Connection, version_ids: Sequence[bytes]) -> dict[bytes, LiveVersion]:
    found = {}
    for version_id in version_ids:
        with _cache_lock:
            if version_id in _cache:
                _cache.move_to_end(version_id)
                found[version_id] = _cache[version_id]
    missing = sorted(set(version_ids) - found.keys())
    if missing:
        for row in db.execute(_BY_IDS, {"ids": missing}):
            found[row.id] = _kept(row)
    return found


def _kept(row: Row[Any]) -> LiveVersion:
    """The version of a row, the same object for as long as it is cached, so that it is compiled once."""
    with _cache_lock:
        known = _cache.get(row.id)
    if known is not None:
        return known
    made = LiveVersion(
        version_id=row.id,
        number=row.number,
        content_hash=row.content_hash,
        ruleset_code=row.ruleset_code,
        kind=row.kind,
        partner_id=row.partner_id,
        created_by=row.created_by,
        created_at=row.created_at,
        document=parse_json(row.content),
    )
    with _cache_lock:
        kept = _cache.setdefault(row.id, made)
        while len(_cache) > CACHED_VERSIONS_MAX:
            _cache.popitem(last=False)
    return kept
