"""In which order the events of one request were decided, by rules that sum in several ways: told by what they saw.

A rule that looks back ties periods together: an event of November sees what October had earned by then, so it says
where it stood among the events of October. A sum of some event types is seen by events that do not count to it. Of two
events that saw one sum, the one that saw less came first; where both saw the same, the one whose own points are in that
sum came last.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from sqlalchemy.engine import Connection

from chalicelib.points.deciding import aggregates
from chalicelib.points.deciding.aggregates import Span
from chalicelib.points.deciding.redeciding import Kept
from chalicelib.rules import rulesets
from chalicelib.rules.rulesets import LiveVersion

if TYPE_CHECKING:
    from chalicelib.workbench.reading import Past

#: Kind of period, event types, first day of the period.
_Sum: TypeAlias = tuple[str, tuple[str, ...], date]


class _Saw(NamedTuple):
    """What each sum was when the event was decided, and the sums that its own points then changed."""

    sums: Mapping[_Sum, Decimal]
    changed: frozenset[_Sum]


def is_told_by_pairs(db: Connection, together: Sequence["Past"], spans: Sequence[Span]) -> bool:
    """Whether a rule of then, or one that sums ``spans``, sees sums of which one does not contain the other."""
    if any(map(_is_partial, spans)):
        return True
    versions = (rulesets.version(db, version_id) for version_id in {past.version_id for past in together})
    return any(
        _is_partial(Span.of(declared)) for version in versions for declared in version.compiled.aggregates.values()
    )


def _is_partial(span: Span) -> bool:
    return bool(span.back or span.event_types)


def of_request(db: Connection, together: Sequence["Past"]) -> list["Past"]:
    """One account's events of one request, in an order that explains what they saw; of several, by their numbers."""
    versions: dict[bytes, LiveVersion] = {}
    for past in together:
        if past.version_id not in versions:
            versions[past.version_id] = rulesets.version(db, past.version_id)
    pasts = sorted(together)
    saw = [_saw(past, versions[past.version_id]) for past in pasts]
    earlier = [{at for at, one in enumerate(saw) if _precedes(one, other)} for other in saw]
    waiting = dict.fromkeys(range(len(pasts)))
    found: list[Past] = []
    while waiting:
        free = (at for at in waiting if earlier[at].isdisjoint(waiting))
        at = next(free, next(iter(waiting)))
        del waiting[at]
        found.append(pasts[at])
    return found


def _saw(past: "Past", version: LiveVersion) -> _Saw:
    told = Kept.of(past.facts).aggregates if past.facts is not None else {}
    spans = {name: Span.of(declared) for name, declared in version.compiled.aggregates.items()}
    sums = {
        (span.kind, span.event_types, aggregates.bounds(span, past.event_date)[0]): Decimal(told[name])
        for name, span in spans.items()
        if name in told
    }
    own = {
        (span.kind, span.event_types, aggregates.period_start(span.kind, past.event_date))
        for span in spans.values()
        if span.counts(past.event_type)
    }
    return _Saw(sums, frozenset(own if past.points_minor else ()))


def _precedes(first: _Saw, second: _Saw) -> bool:
    if first is second:
        return False
    shared = first.sums.keys() & second.sums.keys()
    return any(
        first.sums[one] < second.sums[one]
        or (first.sums[one] == second.sums[one] and one in second.changed and one not in first.changed)
        for one in shared
    )
