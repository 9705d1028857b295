"""What a handler has in its hands while it works on one file: the turn, the database, the clock and its time."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.engine import Connection

from chalicelib.access.caller import Caller
from chalicelib.errors import Broken
from chalicelib.files.formats import layouts
from chalicelib.files.register import turns
from chalicelib.files.register.refusals import TimeShort
from chalicelib.files.register.register import InboundFile
from chalicelib.files.register.turns import Turn
from chalicelib.partners import directory
from chalicelib.partners.directory import Partner
from chalicelib.records import dataclass
from chalicelib.rules import rulesets
from chalicelib.rules.layouts import Format
from chalicelib.settings import settings
from chalicelib.storage.engine import Database

ACTOR = "system:files"
#: A lease is prolonged once this share of it has passed.
_PROLONGED_AFTER = 3


def caller_of(file: InboundFile) -> Caller:
    """As whom intake acts for a file."""
    return Caller(ACTOR, file.correlation_id)


@dataclass(slots=True)
class Holding:
    """One handler's work on one file. ``turn`` is replaced whenever a transaction that changed the row commits."""

    database: Database
    turn: Turn
    clock: Callable[[], datetime]
    remaining_s: Callable[[], float]

    @property
    def file(self) -> InboundFile:
        """The file row as last written."""
        return self.turn.file

    def partner(self) -> Partner:
        """The partner whose file it is. Raises Broken for a file that was registered for nobody."""
        with self.database.read() as db:
            found = directory.by_id(db, self.file.partner_id)
        if found is None:
            raise Broken(f"File {self.file.public_id} belongs to no partner.")
        return found

    def format(self) -> Format:
        """How the file's bytes become cells, by its layout. Raises Broken for a file without one."""
        if self.file.layout_version_id is None:
            raise Broken(f"File {self.file.public_id} has no layout to be read by.")
        with self.database.read() as db:
            return layouts.of_version(rulesets.version(db, self.file.layout_version_id)).spec.format

    def run(self, work: Callable[[Connection, Turn, datetime], Turn]) -> None:
        """One write transaction that ends with a changed file row; the turn is the one it returns."""
        turn, now = self.turn, self.clock()
        self.turn = self.database.run(lambda db: work(db, turn, now))

    def change(self, values: Mapping[str, Any]) -> None:
        """Change the file row alone, prolonging the lease. Raises TurnLost."""
        self.run(lambda db, turn, now: turns.write(db, turn, values, now=now))

    def alive(self) -> None:
        """Prolong the lease when a good part of it has passed. Raises TurnLost."""
        lease = timedelta(seconds=settings().file_lease_s)
        if self.turn.token - self.clock() < lease - lease / _PROLONGED_AFTER:
            # Being alive is no progress.
            self.change({"attempts": self.file.attempts})

    def breathe(self) -> None:
        """Raise TimeShort when the handler has too little time left for another step."""
        if self.remaining_s() < settings().slice_reserve_s:
            raise TimeShort(f"File {self.file.public_id} continues by a new message.")
