"""Where points come from and where they went: entry -> event -> file row or request, version and facts -> delivery.

What is no accrual is explained by its cause (``points.earning.causes``) and the lots that it took.

The raw text of a file's row lies in the archive, which the files room reads; everything else is here. Recomputing from
the stored facts and the stored version gives the same points, whatever rules, rosters and code tables say today.
"""

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.engine import Connection

from chalicelib.deliveries import outbox
from chalicelib.deliveries.outbox import Carried
from chalicelib.deliveries.routes import BALANCE
from chalicelib.points.deciding import deciding
from chalicelib.points.deciding.deciding import Proof
from chalicelib.points.earning import causes
from chalicelib.points.earning.causes import Cause, Origin
from chalicelib.points.ledger import history
from chalicelib.points.ledger.history import Entry, Event
from chalicelib.points.ledger.lots import Taken
from chalicelib.points.models.ledger import lot_use
from chalicelib.records import dataclass
from chalicelib.rules import rulesets
from chalicelib.rules.rulesets import LiveVersion

#: Lots listed for one spend.
_LOTS_MAX = 1000


@dataclass(frozen=True, slots=True)
class Decided:
    """Why an event earned what it earned. ``trace`` is the language's explanation; amounts are minor units.

    ``recomputed_minor`` is None unless asked for; ``agrees`` then says whether it equals what was posted.
    """

    event: Event
    version: LiveVersion
    facts: Mapping[str, Any]
    trace: Mapping[str, Any]
    recomputed_minor: int | None = None
    agrees: bool | None = None


@dataclass(frozen=True, slots=True)
class Lineage:
    """One entry with all that led to it and what carried it on. ``decided`` is of accruals, ``cause`` of all others.

    ``taken`` are the lots that any other entry took from or, below zero, gave back to. What opened a lot of its own (a
    refund under a grace, points given by a person) has it under the entry's id. ``origins`` are the entries that opened
    the lots taken, by lot.
    """

    entry: Entry
    decided: Decided | None
    cause: Cause | None
    taken: tuple[Taken, ...]
    origins: Mapping[bytes, Origin]
    carried: Carried | None


def of(db: Connection, transfer_id: bytes, *, recompute: bool = False) -> Lineage:
    """The lineage of one ledger entry. Raises NotFound when there is no such entry."""
    entry = history.entry(db, transfer_id)
    decided = None
    taken: tuple[Taken, ...] = ()
    if entry.kind == "accrual":
        decided = decided_by(db, history.event(db, entry.source_id), recompute=recompute)
    else:
        taken = tuple(Taken(*row) for row in db.execute(_TAKEN, {"transfer_id": transfer_id}))
    carried = outbox.first_carrying(db, BALANCE, entry.account_id.hex(), entry.version)
    origins = causes.of_lots(db, [each.lot_id for each in taken])
    return Lineage(entry, decided, causes.of(db, entry), taken, origins, carried)


def decided_by(db: Connection, event: Event, *, recompute: bool = False) -> Decided:
    """Why an event earned what it earned, from its stored facts and the version that decided it."""
    version = rulesets.version(db, event.ruleset_version_id)
    proof = Proof.of(event.facts)
    trace = version.compiled.explain(deciding.given(version, proof), as_of=event.event_date, code_tables=proof.lookups)
    decided = Decided(event, version, json.loads(event.facts), trace)
    if not recompute:
        return decided
    points_minor = deciding.decide_again(version, proof, as_of=event.event_date, scale=event.scale) or 0
    return Decided(event, version, decided.facts, trace, points_minor, points_minor == event.points_minor)


_TAKEN = (
    select(lot_use.c.lot_id, lot_use.c.amount_minor)
    .where(lot_use.c.transfer_id == bindparam("transfer_id"))
    .order_by(lot_use.c.lot_id)
    .limit(_LOTS_MAX)
)
