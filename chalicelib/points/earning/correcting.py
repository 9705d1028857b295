"""Corrections: an event with a quantity below zero takes back part of the event that its ``reference`` names, or all.

What is taken back is what the original earned less what it would have earned with the quantity (and the amount) that
is left, by the version and the facts that decided it: so tiers and caps are as if the original had said so. It is taken
by the program's policy, as any reversal is. A correction has an event id of its own, and happens once.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

from sqlalchemy import bindparam, select
from sqlalchemy.engine import Connection

from chalicelib.access.caller import Caller
from chalicelib.language import DecisionRefused, InputRefused
from chalicelib.language.rounding import plain
from chalicelib.partners.members import members
from chalicelib.partners.programs import programs
from chalicelib.partners.programs.programs import Program
from chalicelib.partners.provenance import RowSource
from chalicelib.points.corrections import own_lots, reversals
from chalicelib.points.corrections.reversals import IdTaken, PointsSpent, Why
from chalicelib.points.deciding import deciding, screening
from chalicelib.points.deciding.deciding import PointsRefused, Proof
from chalicelib.points.deciding.events import (
    CURRENT,
    Earner,
    NewAccrual,
    Recorded,
    content_hash,
    other_content,
    rejected,
)
from chalicelib.points.ledger import accounts, transfers
from chalicelib.points.ledger.accounts import Locked
from chalicelib.points.ledger.history import Event
from chalicelib.points.models.ledger import accrual_event, reversal
from chalicelib.rules import code_tables, rulesets
from chalicelib.storage import bulk

#: Why points are taken back, where the correction does not say.
_REASON: Final = "a correction"
_REASON_LENGTH_MAX: Final = 500


class _Refused(Exception):
    """Why a correction is not recorded."""

    def __init__(self, code: str, column: str | None, message: str) -> None:
        super().__init__(message)
        self.told = (code, column, message)


class _Said(NamedTuple):
    """The quantity and the amount that an event says, or that corrections have taken of it so far."""

    quantity: Decimal
    amount: Decimal | None


class _Known(NamedTuple):
    """What the corrections of one batch are about."""

    of_program: Mapping[bytes, Program]
    originals: Mapping[str, Event]
    numbers: Mapping[bytes, str]
    held: Mapping[bytes, Locked]


def record(
    db: Connection,
    partner: Earner,
    events: Sequence[NewAccrual],
    *,
    sources: Sequence[RowSource],
    caller: Caller,
    now: datetime,
) -> list[Recorded]:
    """Record corrections, in order, after their originals; one outcome each.

    A recorded one carries the original's id and, below zero, the points that were taken back. Raises nothing for bad
    corrections.
    """
    known = _known(db, partner, [event["reference"] for event in events if event["reference"]])
    outcomes = []
    moved: set[bytes] = set()
    for event, source in zip(events, sources, strict=True):
        bad = screening.malformed(NewAccrual(**{**event, "quantity": -event["quantity"]}))
        if bad is not None:
            outcomes.append(bad)
            continue
        earlier = _earlier(db, partner, event, known)
        if earlier is None:
            why = Why("correction", (event["description"] or _REASON)[:_REASON_LENGTH_MAX], caller, source)
            try:
                earlier = _correct(db, event, known, why, now)
                moved.add(known.originals[event["reference"] or ""].account_id)
            except _Refused as refusal:
                earlier = rejected(event["event_id"], *refusal.told)
        outcomes.append(earlier)
    for account_id in sorted(moved):
        transfers.finish(db, known.held[account_id], now=now)
    return outcomes


def _known(db: Connection, partner: Earner, named: Sequence[str]) -> _Known:
    """The events that are named and still hold their ids, with their accounts locked."""
    chunks = [{"partner_id": partner.id, "event_ids": list(each)} for each in bulk.in_chunks(sorted(set(named)))]
    concerned = [account_id for given in chunks for account_id in db.execute(_ACCOUNTS, given).scalars()]
    held = {each.id: each for each in accounts.lock_existing(db, concerned)}
    # Read under the locks: what was corrected or taken back meanwhile counts.
    found = {row.event_id: Event(*(*row, 0)) for given in chunks for row in db.execute(_EVENTS, given)}
    owners = members.by_ids(db, {event.member_id for event in found.values()})
    of_program = programs.by_ids(db, {event.program_id for event in found.values()})
    return _Known(of_program, found, {key: ref.employee_id for key, ref in owners.items()}, held)


def _earlier(db: Connection, partner: Earner, event: NewAccrual, known: _Known) -> Recorded | None:
    """The outcome of a correction whose event id is known already."""
    given = {"partner_id": partner.id, "event_id": event["event_id"]}
    row = db.execute(_STORED, given).first()
    if row is None:
        taken = db.execute(_TAKEN, given).first()
        return None if taken is None else other_content(event["event_id"])
    if row.content_hash != content_hash(event):
        return other_content(event["event_id"])
    original = known.originals.get(event["reference"] or "")
    if original is None:
        return other_content(event["event_id"])
    return _told(event, original, known.of_program[original.program_id], row.amount_minor)._replace(outcome="duplicate")


def _correct(db: Connection, event: NewAccrual, known: _Known, why: Why, now: datetime) -> Recorded:
    if not event["reference"]:
        raise _Refused("original_not_named", "reference", "A quantity below zero corrects an event: name its event id.")
    original = known.originals.get(event["reference"])
    if original is None:
        raise _Refused("original_unknown", "reference", "The partner has no event of this id that could be corrected.")
    program = known.of_program[original.program_id]
    said = json.loads(original.facts)
    _require_same(event, original, program, said, known.numbers[original.member_id])
    own = own_lots.of_event(db, original.id)
    standing = original.points_minor - own.reversed_minor
    before = _corrected(db, original)
    if original.points_minor and not standing and not before.quantity:
        raise _Refused("original_reversed", "reference", "All that the event earned was taken back already.")
    rest = _rest(event, said, before)
    earns = _earns(db, original, program, said, rest)
    amount = max(0, standing - earns)
    facts = {"corrects": original.event_id, "quantity": plain(event["quantity"]), "left": plain(rest.quantity)}
    if event["amount"] is not None:
        facts["amount"] = plain(event["amount"])
    why.said.update(
        {
            "event_id": event["event_id"],
            "content_hash": content_hash(event),
            "facts": json.dumps(facts, ensure_ascii=False),
        }
    )
    try:
        made = reversals.take(db, program, known.held[original.account_id], original, amount, why, own=own, now=now)
    except PointsSpent as refusal:
        raise _Refused(refusal.code, "quantity", refusal.message) from None
    except IdTaken as refusal:
        raise _Refused(refusal.code, "event_id", refusal.message) from None
    reversals.note(db, made, "accrual.corrected", why.caller)
    return _told(event, original, program, made.amount_minor)


def _require_same(
    event: NewAccrual, original: Event, program: Program, said: Mapping[str, Any], employee_id: str
) -> None:
    """A correction speaks of the same program, employee, type and unit as its original. Raises _Refused."""
    same = {
        "program_code": program.code,
        "employee_id": employee_id,
        "event_type": original.event_type,
        "unit": _fact(said, "unit"),
    }
    for name, value in same.items():
        if event[name] != value:  # type: ignore[literal-required]  # the names are NewAccrual's
            raise _Refused("original_differs", name, f"The event that is corrected has another {name}.")


def _rest(event: NewAccrual, said: Mapping[str, Any], before: _Said) -> _Said:
    """What the original says once this is taken of it. Raises _Refused for more than there is."""
    quantity = Decimal(_fact(said, "quantity")) + before.quantity + event["quantity"]
    if quantity < 0:
        raise _Refused("correction_exceeds_original", "quantity", "More is taken back than the event says, or is left.")
    had = _fact(said, "amount")
    if had is None:
        return _Said(quantity, None)
    if event["amount"] is None and quantity and "amount" in said["inputs"]:
        raise _Refused("amount_not_named", "amount", "The event has an amount, which decides its points: name it.")
    amount = Decimal(had) + (before.amount or 0) + (event["amount"] or 0)
    if amount < 0 or amount > Decimal(had):
        raise _Refused("correction_exceeds_original", "amount", "More is taken back than the event says, or is left.")
    return _Said(quantity, amount)


def _earns(db: Connection, original: Event, program: Program, said: Mapping[str, Any], rest: _Said) -> int:
    """What the original would have earned with the rest, in minor units. Raises _Refused where its rule is silent."""
    if not rest.quantity or not original.points_minor:
        return 0
    version = rulesets.version(db, original.ruleset_version_id)
    inputs = dict(said["inputs"])
    for name in ("quantity", "amount"):
        value = getattr(rest, name)
        if name in inputs and value is not None:
            inputs[name] = plain(value)
    proof = Proof.of(original.facts)
    # Another quantity may look up what the original's did not.
    tables = code_tables.resolve(db, version.compiled.code_tables, on=original.event_date)
    lookups = {name: {**tables.get(name, {}), **proof.lookups.get(name, {})} for name in {*tables, *proof.lookups}}
    try:
        earned = deciding.decide_again(
            version, Proof(inputs, proof.aggregates, lookups), as_of=original.event_date, scale=program.scale
        )
    except (InputRefused, DecisionRefused, PointsRefused) as refusal:
        raise _Refused(*deciding.reason(version, refusal)) from None
    return earned or 0


def _corrected(db: Connection, original: Event) -> _Said:
    """What corrections have taken of the event so far: zero or below."""
    quantity, amount = Decimal(0), Decimal(0)
    for facts in db.execute(_CORRECTIONS, {"event_id": original.id}).scalars():
        said = json.loads(facts)
        quantity += Decimal(said["quantity"])
        amount += Decimal(said.get("amount", "0"))
    return _Said(quantity, amount)


def _fact(said: Mapping[str, Any], name: str) -> Any:  # noqa: ANN401 - a text, or None
    """What the event said, whether its rule read it or not."""
    return said["inputs"][name] if name in said["inputs"] else said["event"].get(name)


def _told(event: NewAccrual, original: Event, program: Program, amount_minor: int) -> Recorded:
    return Recorded(
        "posted" if amount_minor else "no_points",
        event["event_id"],
        original.id,
        -amount_minor,
        original.ruleset_version_id,
        program.id,
        original.member_id,
        program.scale,
        "posted" if amount_minor else "no_points",
    )


_NAMED: Final = (
    accrual_event.c.partner_id == bindparam("partner_id"),
    accrual_event.c.event_id.in_(bindparam("event_ids", expanding=True)),
    accrual_event.c.generation == CURRENT,
)
_ACCOUNTS: Final = select(accrual_event.c.account_id).where(*_NAMED)
_EVENTS: Final = select(*(accrual_event.c[name] for name in Event.__slots__ if name != "scale")).where(*_NAMED)
_STORED: Final = select(reversal.c.content_hash, reversal.c.amount_minor).where(
    reversal.c.partner_id == bindparam("partner_id"),
    reversal.c.event_id == bindparam("event_id"),
    reversal.c.generation == CURRENT,
)
_TAKEN: Final = select(accrual_event.c.id).where(
    accrual_event.c.partner_id == bindparam("partner_id"),
    accrual_event.c.event_id == bindparam("event_id"),
    accrual_event.c.generation == CURRENT,
)
_CORRECTIONS: Final = select(reversal.c.facts).where(
    reversal.c.accrual_event_id == bindparam("event_id"),
    reversal.c.cause == "correction",
    reversal.c.generation == CURRENT,
)
