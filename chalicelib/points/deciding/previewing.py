"""What an event would earn, under the rules in force or under another version: decided in full, written nowhere."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.engine import Connection

from chalicelib.errors import Unprocessable
from chalicelib.language import DecisionRefused, InputRefused
from chalicelib.points.deciding import aggregates, deciding, screening
from chalicelib.points.deciding.aggregates import Span
from chalicelib.points.deciding.deciding import Bench, PointsRefused, Proof
from chalicelib.points.deciding.events import Earner, NewAccrual, Recorded
from chalicelib.records import dataclass
from chalicelib.rules.rulesets import LiveVersion


@dataclass(frozen=True, slots=True)
class Preview:
    """What would become of an event; all but the outcome is None when no rule was asked."""

    outcome: Recorded
    version: LiveVersion | None = None
    facts: Mapping[str, Any] | None = None
    trace: Mapping[str, Any] | None = None


def preview(
    db: Connection, partner: Earner, event: NewAccrual, *, version: LiveVersion | None = None, now: datetime
) -> Preview:
    """Decide one event as ``accruals.record`` would, under ``version`` instead of the one in force when given.

    It looks at what is stored without locking it, and ignores whether the event id is taken. Raises Unprocessable when
    ``version`` is of another ruleset than the event's program uses.
    """
    refused = screening.malformed(event)
    if refused is not None:
        return Preview(refused)
    screened = screening.screen(db, partner.id, {0: event}, now=now, instead=version)
    if not screened.questions:
        return Preview(screened.refused[0])
    [question] = screened.questions
    program, decider = question.program, question.version
    if decider.ruleset_code != program.ruleset_code:
        raise Unprocessable(
            f"The program {program.code} is decided by {program.ruleset_code}, not by {decider.ruleset_code}.",
            code="version_of_other_ruleset",
        )
    spans = sorted({Span.of(aggregate) for aggregate in decider.compiled.aggregates.values()})
    totals = aggregates.read(db, [(question.account_id, event["event_date"])], spans)
    event_id = event["event_id"]
    try:
        points_minor, facts, _ = deciding.decide(Bench(db, totals), question)
    except (InputRefused, DecisionRefused, PointsRefused) as refusal:
        return Preview(deciding.refused(question, refusal), decider)
    proof = Proof.of(facts)
    trace = decider.compiled.explain(
        deciding.given(decider, proof), as_of=event["event_date"], code_tables=proof.lookups
    )
    outcome = Recorded(
        "posted" if points_minor else "no_points",
        event_id,
        points_minor=points_minor or 0,
        version_id=decider.version_id,
        program_id=program.id,
        member_id=question.member.id,
        scale=program.scale,
    )
    return Preview(outcome, decider, json.loads(facts), trace)
