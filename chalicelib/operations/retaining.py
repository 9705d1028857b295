"""How long the hub keeps what may go one day, and the nightly job that lets it go.

What points are worth is never forgotten: entries, events with what decided them, lots, holds, versions, approvals and
the audit trail are in no class, and there is no way to put them into one.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from sqlalchemy import insert, select, update
from sqlalchemy.engine import Connection

from chalicelib.access import audit
from chalicelib.access.caller import Caller
from chalicelib.access.rounds import Round
from chalicelib.errors import NotFound, Unprocessable
from chalicelib.operations import forgetting
from chalicelib.operations.retention_models import retention_policy
from chalicelib.records import dataclass
from chalicelib.storage.engine import Database

log = logging.getLogger(__name__)

#: The longest time that can be named; longer is for ever.
DAYS_MAX: Final = 36_500


@dataclass(frozen=True, slots=True)
class DataClass:
    """One kind of data that may go. ``days`` is the default, None for ever; fewer than ``days_min`` are refused.

    ``forget`` lets go of what is older than a moment and says how much it was; ``count`` only says it.
    """

    name: str
    holds: str
    days: int | None
    days_min: int
    forget: Callable[[Database, datetime, datetime], int]
    count: Callable[[Connection, datetime], int]


@dataclass(frozen=True, slots=True)
class Policy:
    """How long a class is kept now; ``changed_at`` None: nobody said anything else than the default."""

    of: DataClass
    days: int | None
    changed_by: str | None = None
    changed_at: datetime | None = None

    def before(self, now: datetime) -> datetime | None:
        """What is older than this goes; None: nothing."""
        return None if self.days is None else now - timedelta(days=self.days)


class NeverForgotten(Unprocessable):
    """The ledger, decisions, versions, approvals and the audit trail are kept for ever."""

    code = "never_forgotten"


class TooShort(Unprocessable):
    """The class must be kept for longer than that: something that the hub promises needs it."""

    code = "kept_too_short"


#: Asked for by name, so that the refusal says why.
_NEVER: Final = frozenset(
    {"ledger", "transfers", "lots", "holds", "accruals", "decisions", "versions", "approvals", "audit", "settlements"}
)

_ALL: Final = (
    DataClass("answers", "Answers kept under an Idempotency-Key.", 7, 1, forgetting.answers, forgetting.count_answers),
    DataClass(
        "attempts",
        "Masked requests and answers of deliveries; that and when they were sent stays.",
        90,
        1,
        forgetting.attempts,
        forgetting.count_attempts,
    ),
    DataClass(
        "rejected_rows",
        "What refused rows said, and their corrections; outcome and reason stay.",
        400,
        30,
        forgetting.rejected_rows,
        forgetting.count_rejected_rows,
    ),
    DataClass(
        "document_persons",
        "What is personal in orders, quotes and leads: postcodes, a lead's name, mail and phone; the rest stays.",
        730,
        90,
        forgetting.documents,
        forgetting.count_documents,
    ),
    DataClass(
        "refused_files", "Files that were refused as a whole.", 90, 7, forgetting.refused, forgetting.count_refused
    ),
    DataClass(
        "sent_files", "Receipts, rejects and exports, in `hub-out`.", 180, 7, forgetting.sent, forgetting.count_sent
    ),
    DataClass(
        "archives",
        "Files as they arrived; their hashes stay. Lineage then ends at file and row number.",
        None,
        365,
        forgetting.archives,
        forgetting.count_archives,
    ),
    DataClass(
        "backtest_details",
        "Members and records of back-tests; the results stay.",
        400,
        60,
        forgetting.backtests,
        forgetting.count_backtests,
    ),
    DataClass(
        "former_members",
        "Who has left, counted from the last day of employment: they are erased as on request.",
        None,
        30,
        forgetting.former_members,
        forgetting.count_former_members,
    ),
)
#: Every class by name, in the order in which the job takes them.
CLASSES: Final[Mapping[str, DataClass]] = MappingProxyType({each.name: each for each in _ALL})


def policies(db: Connection) -> list[Policy]:
    """How long each class is kept now."""
    said = {row.data_class: row for row in db.execute(select(retention_policy))}
    return [
        Policy(each, said[each.name].days, said[each.name].changed_by, said[each.name].changed_at)
        if each.name in said
        else Policy(each, each.days)
        for each in CLASSES.values()
    ]


def change(
    db: Connection, name: str, days: int | None, *, reason: str | None = None, caller: Caller, now: datetime
) -> Policy:
    """Keep a class for so many days, None for ever, from the next run on.

    Raises NeverForgotten for what may not go, NotFound for other unknown classes, and TooShort.
    """
    if name in _NEVER:
        raise NeverForgotten(f"{name} is kept for ever.")
    of = CLASSES.get(name)
    if of is None:
        raise NotFound(f"There is no data class {name!r}: there are {', '.join(CLASSES)}.", code="data_class_unknown")
    if days is not None and not of.days_min <= days <= DAYS_MAX:
        raise TooShort(f"{name} is kept for {of.days_min} to {DAYS_MAX} days, or for ever (null).")
    [before] = [each for each in policies(db) if each.of.name == name]
    values = {"days": days, "changed_by": caller.actor, "changed_at": now}
    if before.changed_at is None:
        db.execute(insert(retention_policy), {"data_class": name, **values})
    else:
        db.execute(update(retention_policy).where(retention_policy.c.data_class == name).values(values))
    audit.record(
        db,
        caller=caller,
        action="retention.changed",
        subject=name,
        before={"days": before.days},
        after={"days": days},
        reason=reason,
        now=now,
    )
    return Policy(of, days, caller.actor, now)


def preview(db: Connection, now: datetime) -> list[tuple[Policy, int]]:
    """How much of each class the job would let go of at a moment; of buckets it asks S3. Raises Unavailable."""
    return [
        (policy, 0 if (before := policy.before(now)) is None else policy.of.count(db, before))
        for policy in policies(db)
    ]


def told(db: Connection, now: datetime) -> Sequence[str]:
    """The same in sentences, of what is not for ever."""
    return [
        f"{policy.of.name}: {count} older than {policy.days} days" for policy, count in preview(db, now) if policy.days
    ]


def run(database: Database, *, now: datetime) -> Mapping[str, int]:
    """Let go of what has been kept for long enough; how much of each class. Dying half-way and again are harmless.

    Raises SomeFailed once all others went, and Unavailable.
    """
    with database.read() as db:
        wanted = [(policy.of, before) for policy in policies(db) if (before := policy.before(now)) is not None]
    gone: dict[str, int] = {}
    with Round("retention") as each:
        for of, before in wanted:
            with each.turn(of.name):
                gone[of.name] = of.forget(database, before, now)
        caller = Caller("system:retention", f"retention-{now:%Y-%m-%d}")
        if any(gone.values()):
            database.run(
                lambda db: audit.record(
                    db, caller=caller, action="retention.run", subject="retention", after=gone, now=now
                )
            )
    return gone
