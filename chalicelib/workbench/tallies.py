"""What a back-test has found so far: sums, counts, the biggest movers and two hash chains, as JSON between slices.

Everything is added in the order of accounts, so where slices begin and end leaves no trace in the result.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import field
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from chalicelib.records import dataclass
from chalicelib.rules import canonical

#: The biggest differences that are kept, of members and of events.
MOVERS_MAX: Final = 20
#: Records that are kept of those that are newly refused or accepted; all are counted.
RECORDS_MAX: Final = 10_000

Change: TypeAlias = Literal["unchanged", "more", "less", "without_points", "refused", "accepted"]
CHANGES: Final[tuple[Change, ...]] = ("unchanged", "more", "less", "without_points", "refused", "accepted")
#: Amounts of different scales are compared at this one.
_SCALE: Final = 9
_NO_HASH: Final = bytes(32)


class MemberRow(NamedTuple):
    """What the draft changes for one account; in minor units."""

    account_id: bytes
    member_id: bytes
    program_id: bytes
    then_minor: int
    now_minor: int
    events: int
    changed: int


class Moved(NamedTuple):
    """One event that moves. ``kept`` makes what is needed to explain it, when it is among the biggest."""

    difference_minor: int
    kept: Callable[[], dict[str, Any]]


@dataclass(slots=True)
class Programme:
    """The sums and counts of one program; amounts in its minor units."""

    then_minor: int = 0
    now_minor: int = 0
    members: int = 0
    members_changed: int = 0
    events: int = 0
    changes: dict[str, int] = field(default_factory=lambda: dict.fromkeys(CHANGES, 0))

    def said(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "then_minor": self.then_minor,
            "now_minor": self.now_minor,
            "members": self.members,
            "members_changed": self.members_changed,
            "events": self.events,
            "changes": self.changes,
        }


@dataclass(slots=True)
class Tally:
    """The result so far. ``members`` and ``records`` are those of the slice at hand, to be written with it."""

    programs: dict[bytes, Programme] = field(default_factory=dict)
    versions: dict[bytes, int] = field(default_factory=dict)
    #: Kind of change -> (code and field) -> how many.
    reasons: dict[str, dict[str, int]] = field(default_factory=lambda: {"refused": {}, "accepted": {}})
    movers: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: {"members": [], "events": []})
    data_chain: bytes = _NO_HASH
    result_chain: bytes = _NO_HASH
    records_found: int = 0
    members: list[MemberRow] = field(default_factory=list)
    records: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def of(cls, text: str | None) -> "Tally":
        """What ``text`` wrote; empty without one."""
        if text is None:
            return cls()
        said = json.loads(text)
        return cls(
            programs={bytes.fromhex(name): Programme(**each) for name, each in said["programs"].items()},
            versions={bytes.fromhex(name): each for name, each in said["versions"].items()},
            reasons=said["reasons"],
            movers=said["movers"],
            data_chain=bytes.fromhex(said["data_chain"]),
            result_chain=bytes.fromhex(said["result_chain"]),
            records_found=said["records_found"],
        )

    def text(self) -> str:
        """The tally without what belongs to the slice."""
        return canonical.text(self._said() | {"data_chain": self.data_chain.hex()})

    def data_hash(self) -> bytes:
        """SHA-256 over everything that was read, in the order of accounts."""
        return self.data_chain

    def result_hash(self) -> bytes:
        """SHA-256 of the whole result: of these figures and, by their chain, of every member's and record's."""
        return canonical.digest(canonical.text(self._said()))

    def program(self, program_id: bytes) -> Programme:
        """The figures of one program."""
        known = self.programs.get(program_id)
        if known is None:
            known = self.programs[program_id] = Programme()
        return known

    def read(self, parts: Iterable[bytes]) -> None:
        """Chain what was read of one account."""
        self.data_chain = hashlib.sha256(self.data_chain + b"".join(parts)).digest()

    def member(self, row: MemberRow, *, scale: int, biggest: Moved | None) -> None:
        """Add one finished account; ``biggest`` is the event of it that moves most."""
        self.members.append(row)
        program = self.program(row.program_id)
        program.then_minor += row.then_minor
        program.now_minor += row.now_minor
        program.members += 1
        program.events += row.events
        said = f"{row.then_minor} {row.now_minor} {row.events} {row.changed}".encode()
        self.result_chain = hashlib.sha256(self.result_chain + row.account_id + said).digest()
        if not row.changed:
            return
        program.members_changed += 1
        self._mover(
            "members",
            Moved(
                row.now_minor - row.then_minor,
                lambda: {
                    "account_id": row.account_id.hex(),
                    "member_id": row.member_id.hex(),
                    "program_id": row.program_id.hex(),
                    "then_minor": row.then_minor,
                    "now_minor": row.now_minor,
                    "events": row.events,
                    "changed": row.changed,
                    "event": None if biggest is None else biggest.kept(),
                },
            ),
            scale,
        )

    def event(self, moved: Moved, *, scale: int) -> None:
        """Add one event that earns something else now."""
        self._mover("events", moved, scale)

    def record(self, kind: Literal["refused", "accepted"], row: dict[str, Any]) -> None:
        """Add one record that is refused now and was not, or the reverse; the first of them are kept."""
        reason = f"{row['code']} {row['field'] or ''}".strip()
        counts = self.reasons[kind]
        counts[reason] = counts.get(reason, 0) + 1
        self.records_found += 1
        self.result_chain = hashlib.sha256(
            self.result_chain + f"{kind} {row['event_id']} {row['then_minor']} {row['now_minor']} {reason}".encode()
        ).digest()
        if self.records_found <= RECORDS_MAX:
            self.records.append({"number": self.records_found, "kind": kind, **row})

    def written(self) -> None:
        """Forget what belonged to the slice: it is stored."""
        self.members.clear()
        self.records.clear()

    def _mover(self, what: str, moved: Moved, scale: int) -> None:
        """Keep it if it is among the biggest; of equal ones the first stay."""
        size = abs(moved.difference_minor) * 10 ** (_SCALE - scale)
        biggest = self.movers[what]
        if not size or (len(biggest) == MOVERS_MAX and size <= biggest[-1]["size"]):
            return
        biggest.append({"size": size, **moved.kept()})
        # Sorting is stable: among equal ones the earlier remains before the later.
        biggest.sort(key=_by_size)
        del biggest[MOVERS_MAX:]

    def _said(self) -> dict[str, Any]:
        return {
            "programs": {name.hex(): each.said() for name, each in self.programs.items()},
            "versions": {name.hex(): each for name, each in self.versions.items()},
            "reasons": self.reasons,
            "movers": self.movers,
            "records_found": self.records_found,
            "result_chain": self.result_chain.hex(),
        }


def _by_size(mover: Mapping[str, Any]) -> int:
    return -int(mover["size"])
