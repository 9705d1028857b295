"""Decide the past again: the events of some accounts under the draft, beside what they earned.

The decision is ``points.deciding.deciding``'s, the one that posts points. Events outside the selection keep what they
earned and add it to the sums of their period; selected ones add what the draft gives them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import date
from typing import Any

from sqlalchemy.engine import Connection

from chalicelib.language import DecisionRefused, InputRefused, Value
from chalicelib.partners.members import members
from chalicelib.partners.members.members import MemberRef
from chalicelib.points.deciding import deciding, redeciding
from chalicelib.points.deciding.deciding import Answer, Bench, PointsRefused
from chalicelib.points.deciding.redeciding import Kept
from chalicelib.records import dataclass
from chalicelib.workbench import reading, rejected
from chalicelib.workbench.drafts import Draft
from chalicelib.workbench.reading import Past
from chalicelib.workbench.rejected import Rejected
from chalicelib.workbench.tallies import Change, MemberRow, Moved, Tally

_MESSAGE_LENGTH_MAX = 500
_FIELD_LENGTH_MAX = 100


@dataclass(slots=True)
class _Account:
    """What the selected events of one account earned and would earn."""

    id: bytes
    member_id: bytes
    program_id: bytes
    then_minor: int = 0
    now_minor: int = 0
    events: int = 0
    changed: int = 0
    biggest: Moved | None = None

    def moves(self, moved: Moved) -> None:
        """Remember the event that moves most; of equal ones the first."""
        if self.biggest is None or abs(moved.difference_minor) > abs(self.biggest.difference_minor):
            self.biggest = moved


@dataclass(slots=True)
class _Batch:
    """Some accounts on their way through the draft."""

    draft: Draft
    bench: Bench
    tally: Tally
    kept: Mapping[int, Kept]
    #: By (member id, day), where the draft reads what was not read then.
    members: Mapping[tuple[bytes, date], MemberRef] = field(default_factory=dict)


def compare(db: Connection, draft: Draft, account_ids: Sequence[bytes], tally: Tally) -> int:
    """Decide the selected events of these accounts, ordered by id, and add them to the tally; how many they were."""
    pasts = reading.events_of(db, draft.asked, account_ids, periods=draft.periods)
    rejects = rejected.of_accounts(db, draft, account_ids) if draft.asked.selected.file_ids else {}
    kept = {
        past.seq: Kept.of(past.facts)
        for of_account in pasts.values()
        for past in of_account
        if past.selected and past.facts is not None
    }
    batch = _Batch(draft, draft.bench(db), tally, kept, _members(db, draft, pasts, kept))
    done = 0
    for account_id in account_ids:
        found = pasts.get(account_id, [])
        refused = rejects.get(account_id, [])
        if refused or any(past.selected for past in found):
            done += _account(batch, account_id, found, refused)
    return done


def _members(
    db: Connection, draft: Draft, pasts: Mapping[bytes, Sequence[Past]], kept: Mapping[int, Kept]
) -> dict[tuple[bytes, date], MemberRef]:
    """The members of those events of which the draft reads what their own version did not, as of the events' dates."""
    asking = {
        (past.member_id, past.event_date)
        for of_account in pasts.values()
        for past in of_account
        if past.selected and redeciding.asks_member(draft.version, kept[past.seq])
    }
    if not asking:
        return {}
    known = members.by_ids(db, {member_id for member_id, _ in asking})
    numbers = {ref.employee_id: ref.id for ref in known.values()}
    wanted = [(known[member_id].employee_id, day) for member_id, day in asking if member_id in known]
    found = members.by_employee_on(db, draft.asked.partner_id, wanted)
    return {(numbers[employee_id], day): ref for (employee_id, day), ref in found.items()}


def _account(batch: _Batch, account_id: bytes, pasts: Sequence[Past], rejects: Sequence[Rejected]) -> int:
    tally, totals = batch.tally, batch.bench.totals
    if pasts:
        account = _Account(account_id, pasts[0].member_id, pasts[0].program_id)
    else:
        account = _Account(account_id, rejects[0].question.member.id, rejects[0].question.program.id)
    scale = batch.draft.programs[account.program_id].scale
    program = tally.program(account.program_id)
    versions, changes = tally.versions, program.changes
    waiting = list(reversed(rejects))
    for past in pasts:
        while waiting and _before(waiting[-1], past):
            _try_rejected(batch, account, waiting.pop(), scale)
        then_minor = past.points_minor
        if not past.selected:
            totals.add(account_id, past.event_date, then_minor, past.event_type)
            continue
        account.events += 1
        account.then_minor += then_minor
        versions[past.version_id] = versions.get(past.version_id, 0) + 1
        try:
            inputs, found = _decided(batch, past, scale)
        except (InputRefused, DecisionRefused, PointsRefused) as refusal:
            account.changed += 1
            changes["refused"] += 1
            _refused(batch, account, past, refusal, scale)
            continue
        now_minor = found.points_minor or 0
        totals.add(account_id, past.event_date, now_minor, past.event_type)
        account.now_minor += now_minor
        if now_minor == then_minor:
            changes["unchanged"] += 1
            continue
        account.changed += 1
        changes[_change(then_minor, now_minor)] += 1
        moved = _moved(account, past, now_minor, inputs, found)
        account.moves(moved)
        tally.event(moved, scale=scale)
    while waiting:
        _try_rejected(batch, account, waiting.pop(), scale)
    tally.read(
        [past.id + past.content_hash + past.points_minor.to_bytes(8) for past in pasts]
        + [rejected.content(each) for each in rejects]
    )
    tally.member(
        MemberRow(
            account.id,
            account.member_id,
            account.program_id,
            account.then_minor,
            account.now_minor,
            account.events,
            account.changed,
        ),
        scale=scale,
        biggest=account.biggest,
    )
    return account.events


def _decided(batch: _Batch, past: Past, scale: int) -> tuple[dict[str, Value], Answer]:
    version = batch.draft.version
    inputs = version.compiled.read(_raw(batch, past))
    found = deciding.answer(batch.bench, version, inputs, account_id=past.account_id, day=past.event_date, scale=scale)
    return inputs, found


def _raw(batch: _Batch, past: Past) -> Mapping[str, object]:
    return redeciding.raw_inputs(
        batch.draft.version,
        batch.kept[past.seq],
        event_type=past.event_type,
        event_date=past.event_date,
        member=batch.members.get((past.member_id, past.event_date)),
    )


def _change(then_minor: int, now_minor: int) -> Change:
    if now_minor > then_minor:
        return "more"
    return "less" if now_minor else "without_points"


def _refused(batch: _Batch, account: _Account, past: Past, refusal: deciding.Refused, scale: int) -> None:
    code, place, message = deciding.reason(batch.draft.version, refusal)
    said = {"code": code, "field": place and place[:_FIELD_LENGTH_MAX], "message": message[:_MESSAGE_LENGTH_MAX]}
    batch.tally.record("refused", _record(account, past) | {"then_minor": past.points_minor, "now_minor": 0} | said)
    if past.points_minor:
        # The sums go on while the account does; what explains the refusal is what it saw.
        version = batch.draft.version
        sums = deciding.aggregates(batch.bench, version, account_id=account.id, day=past.event_date, scale=scale)
        moved = Moved(
            -past.points_minor,
            lambda: _event(account, past) | {"refusal": said, "trace": _trace(batch, past, sums)},
        )
        account.moves(moved)
        batch.tally.event(moved, scale=scale)


def _trace(batch: _Batch, past: Past, sums: Mapping[str, Value]) -> dict[str, Any] | None:
    """How the draft comes to have no answer; None when it could not even read the facts."""
    version, bench, day = batch.draft.version, batch.bench, past.event_date
    try:
        inputs = version.compiled.read(_raw(batch, past))
    except InputRefused:
        return None
    tables = bench.code_tables(bench.way(version).code_tables, day) if version.compiled.code_tables else {}
    return version.compiled.explain({**inputs, **sums}, as_of=day, code_tables=tables)


def _try_rejected(batch: _Batch, account: _Account, row: Rejected, scale: int) -> None:
    """Decide a row that was refused then; one that the draft refuses too changes nothing."""
    version = batch.draft.version
    event = row.question.event
    day = event["event_date"]
    account.events += 1
    sources = batch.bench.way(version).sources
    try:
        inputs = version.compiled.read({name: source(event, row.question.member) for name, source in sources})
        found = deciding.answer(batch.bench, version, inputs, account_id=account.id, day=day, scale=scale)
    except (InputRefused, DecisionRefused, PointsRefused):
        batch.tally.program(account.program_id).changes["unchanged"] += 1
        return
    now_minor = found.points_minor or 0
    batch.bench.totals.add(account.id, day, now_minor, event["event_type"])
    account.now_minor += now_minor
    account.changed += 1
    batch.tally.program(account.program_id).changes["accepted"] += 1
    place: dict[str, Any] = {"event_id": event["event_id"], "file_id": row.file_id, "row_no": row.row_no}
    batch.tally.record(
        "accepted",
        {
            **place,
            "account_id": account.id,
            "member_id": account.member_id,
            "program_id": account.program_id,
            "event_date": day,
            "accrual_id": None,
            "then_minor": 0,
            "now_minor": now_minor,
            "code": row.code,
            "field": row.field,
            "message": row.message,
        },
    )
    if now_minor:
        moved = Moved(
            now_minor,
            lambda: {
                "accrual_id": None,
                "event_id": event["event_id"],
                "event_date": day.isoformat(),
                "account_id": account.id.hex(),
                "program_id": account.program_id.hex(),
                "file_id": row.file_id.hex(),
                "row_no": row.row_no,
                "then_minor": 0,
                "now_minor": now_minor,
                "facts": deciding.facts_text(inputs, found, rejected.facts_said(event)),
                "refusal": None,
                "trace": None,
            },
        )
        account.moves(moved)
        batch.tally.event(moved, scale=scale)


def _moved(account: _Account, past: Past, now_minor: int, inputs: Mapping[str, Value], found: Answer) -> Moved:
    return Moved(
        now_minor - past.points_minor,
        lambda: _event(account, past) | {"now_minor": now_minor, "facts": deciding.facts_text(inputs, found, {})},
    )


def _event(account: _Account, past: Past) -> dict[str, Any]:
    return {
        "accrual_id": past.id.hex(),
        "event_id": past.event_id,
        "event_date": past.event_date.isoformat(),
        "account_id": account.id.hex(),
        "program_id": account.program_id.hex(),
        "file_id": None if past.source_file_id is None else past.source_file_id.hex(),
        "row_no": past.row_no,
        "then_minor": past.points_minor,
        "now_minor": 0,
        "facts": None,
        "refusal": None,
        "trace": None,
    }


def _record(account: _Account, past: Past) -> dict[str, Any]:
    return {
        "account_id": account.id,
        "member_id": account.member_id,
        "program_id": account.program_id,
        "event_id": past.event_id,
        "event_date": past.event_date,
        "accrual_id": past.id,
        "file_id": past.source_file_id,
        "row_no": past.row_no,
    }


def _before(row: Rejected, past: Past) -> bool:
    """Whether the row was refused before the event was decided."""
    if past.received_at is None:
        return False
    if row.file_id == past.source_file_id and row.recorded_at == past.received_at:
        return row.row_no < (past.row_no or 0)
    return row.recorded_at < past.received_at
