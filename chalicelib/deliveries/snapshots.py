"""What a ``state`` delivery carries: the newest state of a record, read when the delivery is claimed; and of which."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from sqlalchemy.engine import Connection

from chalicelib.language import Value
from chalicelib.records import dataclass


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A record as it is now. ``version`` grows with every change; ``record`` is the input of the target's mapping.

    ``erased``: whom it is about was erased, the record is empty, and nobody is told of it any more.
    """

    version: int
    record: Mapping[str, Value]
    erased: bool = False


#: The snapshots of the records behind some keys; a key whose record is gone is left out.
StateReader: TypeAlias = Callable[[Connection, Sequence[str]], Mapping[str, Snapshot]]
#: Up to so many keys of a partner's records, ascending, from behind the given one ("" is the start). The records are
#: locked until the transaction ends: one that is just being written is waited for, and not left out.
KeyReader: TypeAlias = Callable[[Connection, bytes, str, int], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Source:
    """Where the records of one entity come from: given by the room that keeps them, which is above this one."""

    read: StateReader
    keys: KeyReader
