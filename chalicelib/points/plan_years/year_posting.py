"""What the end of a plan year posts: forfeits as breakage, and carried points into lots with their own last day."""

from collections.abc import Sequence
from dataclasses import field
from datetime import date, datetime
from typing import Any, NamedTuple

from sqlalchemy.engine import Connection

from chalicelib.partners import account_ids
from chalicelib.partners.programs.programs import Program
from chalicelib.points.ledger import accounts, lots, transfers
from chalicelib.points.ledger.accounts import Locked
from chalicelib.points.ledger.lots import Taken
from chalicelib.points.ledger.transfers import Kind
from chalicelib.points.models.ledger import lot, lot_use, transfer
from chalicelib.points.plan_years.beginning import Begun
from chalicelib.points.plan_years.calendar import Year
from chalicelib.points.plan_years.carrying import Carried
from chalicelib.records import dataclass
from chalicelib.storage import bulk
from chalicelib.storage.ids import new_id


class Closed(NamedTuple):
    """One member's year that ends; ``id`` is the source of what is posted for it."""

    id: bytes
    member_id: bytes
    year: Year
    carried: Carried


@dataclass(slots=True)
class YearPosting:
    """The transfers of a slice's members, gathered and written together; their accounts are locked."""

    program: Program
    today: date
    now: datetime
    changed: list[Locked] = field(default_factory=list)
    transfers: list[dict[str, Any]] = field(default_factory=list)
    opened: list[dict[str, Any]] = field(default_factory=list)
    uses: list[dict[str, Any]] = field(default_factory=list)
    taken: list[Taken] = field(default_factory=list)

    def add(self, closed: Closed, holder: Locked) -> None:
        """Gather what one member's year posts; its account's counters move along."""
        carried = closed.carried
        if carried.forfeited_minor:
            self._out(holder, "year_forfeit", closed.id, carried.forfeited)
        if carried.moved:
            amount_minor = sum(each.amount_minor for each in carried.moved)
            self._out(holder, "carry_out", closed.id, carried.moved)
            self._in(holder, closed.id, amount_minor, carried.until)
        if carried.forfeited_minor or carried.moved:
            self.changed.append(holder)

    def write(self, db: Connection) -> None:
        """Write everything that was gathered."""
        if not self.transfers:
            return
        # The house account of what is carried is younger than many a program.
        accounts.open_houses(db, self.program.partner_id, [self.program.id], now=self.now)
        bulk.insert(db, transfer, self.transfers)
        bulk.insert(db, lot, self.opened)
        bulk.insert(db, lot_use, self.uses)
        lots.reduce(db, self.taken)
        for holder in self.changed:
            transfers.finish(db, holder, now=self.now)

    def _out(self, holder: Locked, kind: Kind, source_id: bytes, taken: Sequence[Taken]) -> None:
        transfer_id = self._transfer(holder, kind, source_id, -sum(each.amount_minor for each in taken))
        self.uses += [
            {"transfer_id": transfer_id, "lot_id": lot_id, "partner_id": holder.partner_id, "amount_minor": amount}
            for lot_id, amount in taken
        ]
        self.taken += taken

    def _in(self, holder: Locked, source_id: bytes, amount_minor: int, until: date | None) -> None:
        transfer_id = self._transfer(holder, "carry_in", source_id, amount_minor)
        holder.unearned_minor += amount_minor
        self.opened.append(
            {
                "id": transfer_id,
                "partner_id": holder.partner_id,
                "account_id": holder.id,
                "expires_on": until,
                "amount_minor": amount_minor,
                "remaining_minor": amount_minor,
                "held_minor": 0,
            }
        )

    def _transfer(self, holder: Locked, kind: Kind, source_id: bytes, amount_minor: int) -> bytes:
        transfer_id = new_id()
        house_id = account_ids.account_id(self.program.id, transfers.HOUSE_OF[kind])
        row = transfers.transfer_row(
            holder, transfer_id, house_id, amount_minor, kind=kind, source_id=source_id, day=self.today, now=self.now
        )
        self.transfers.append(row)
        return transfer_id


def member_row(
    partner_id: bytes, close_id: bytes, account_id: bytes, closed: Closed, begun: Begun | None, now: datetime
) -> dict[str, Any]:
    """The row that keeps what became of a member's year, and of the grant that begins the next one."""
    carried = closed.carried
    return {
        "id": closed.id,
        "partner_id": partner_id,
        "close_id": close_id,
        "member_id": closed.member_id,
        "account_id": account_id,
        "first_day": closed.year.first_day,
        "last_day": closed.year.last_day,
        "before_minor": carried.before_minor,
        "carried_minor": carried.carried_minor,
        "held_minor": carried.held_minor,
        "forfeited_minor": carried.forfeited_minor,
        "moved_minor": sum(each.amount_minor for each in carried.moved),
        "carried_until": carried.until if carried.moved else None,
        "grant_event": None if begun is None else begun.event_id,
        "granted_minor": 0 if begun is None else begun.points_minor,
        "grant_refused": None if begun is None else begun.refused,
        "closed_at": now,
    }
