"""What a ``state`` delivery carries: the newest state of a record, read when the delivery is claimed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from sqlalchemy.engine import Connection

from chalicelib.language import Value


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A record as it is now. ``version`` grows with every change; ``record`` is the input of the target's mapping."""

    version: int
    record: Mapping[str, Value]


#: The snapshots of the records behind some keys; a key whose record is gone is left out.
StateReader: TypeAlias = Callable[[Connection, Sequence[str]], Mapping[str, Snapshot]]
