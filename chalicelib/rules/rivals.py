"""Rulesets that would decide the same event on the same day as a version that is to decide.

A program names its one accrual ruleset and a target its one mapping, so these have no rivals. Rulesets whose documents
say by themselves what they are asked about (``program``, or all of their partner's records) may have some.
"""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.engine import Connection

from chalicelib.errors import Fault
from chalicelib.rules.models import ruleset
from chalicelib.rules.versions import LiveVersion, timelines

#: Kinds that are asked about all records of their partner, unless their document names a program.
_OF_PARTNER: Final = frozenset({"eligibility", "enrolment", "routing", "validation"})


def of(db: Connection, chosen: LiveVersion, *, effective_from: date, now: datetime) -> tuple[Fault, ...]:
    """The rulesets that decide what ``chosen`` would decide from a day on, each with an example; none: it is alone.

    Versions of its own ruleset are no rivals: of them the one that was activated last decides.
    """
    # Linting is for people who change rules: requests that only decide never import it.
    from chalicelib.language.lint import Deciding, conflicts

    scope = _scope(chosen)
    if scope is None:
        return ()
    mine = Deciding(chosen.ruleset_code, scope, chosen.document, effective_from, chosen.effective_to)
    faults = []
    for rival, first, last in _deciding_since(db, chosen, effective_from, now):
        if _scope(rival) != scope:
            continue
        theirs = Deciding(rival.ruleset_code, scope, rival.document, first, last)
        faults += [
            Fault(each.pointer, each.code, f"{each.message}; {each.suggestion}" if each.suggestion else each.message)
            for each in conflicts([theirs, mine])
            if each.severity == "error"
        ]
    return tuple(faults)


def _scope(version: LiveVersion) -> str | None:
    """What a version is asked about, None when something else names its ruleset."""
    program = version.document.get("program")
    if version.kind in _OF_PARTNER or (version.kind == "accrual" and program):
        partner = version.document.get("partner") or "all partners"
        return f"{version.kind} of {partner}" + (f", program {program}" if program else "")
    return None


def _deciding_since(
    db: Connection, chosen: LiveVersion, day: date, now: datetime
) -> Iterator[tuple[LiveVersion, date, date | None]]:
    """Versions of other rulesets of the same kind and owner that decide on ``day`` or later, and from when to when."""
    others = select(ruleset.c.code).where(
        ruleset.c.kind == chosen.kind,
        ruleset.c.partner_id.is_(None) if chosen.partner_id is None else ruleset.c.partner_id == chosen.partner_id,
        ruleset.c.code != chosen.ruleset_code,
    )
    codes = list(db.execute(others.order_by(ruleset.c.code)).scalars())
    for timeline in timelines(db, codes, known_at=now).values():
        steps = timeline.steps
        for at, (start, version) in enumerate(steps):
            ends = [steps[at + 1][0] - timedelta(days=1)] if at + 1 < len(steps) else []
            if version.effective_to is not None:
                ends.append(version.effective_to)
            last = min(ends, default=None)
            if last is None or last >= day:
                yield version, start, last
