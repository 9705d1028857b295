"""Deciding a stored event again under another version, from the facts that were kept and, beyond them, the member's.

What the stored decision read, the new one reads as it was then, corrected rosters or not: so a difference is a
difference of the rules. Only facts that the old version did not read are taken from the event's own words, and from
the member as known now on the event's date.
"""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from json import loads
from typing import Any, NamedTuple

from chalicelib.partners.members.members import MemberRef
from chalicelib.points.deciding.deciding import SOURCES
from chalicelib.points.deciding.events import NewAccrual
from chalicelib.rules.facts import MEMBER
from chalicelib.rules.rulesets import LiveVersion


class Kept(NamedTuple):
    """The facts of a stored decision: what its version read, and what the partner said besides."""

    inputs: Mapping[str, object]
    aggregates: Mapping[str, str]
    event: Mapping[str, Any]

    @classmethod
    def of(cls, facts: str) -> "Kept":
        """Read what ``deciding`` kept."""
        said = loads(facts)
        return cls(said["inputs"], said.get("aggregates", {}), said["event"])


def asks_member(version: LiveVersion, kept: Kept) -> bool:
    """Whether the version reads of the member what the stored decision did not."""
    if version.compiled.inputs.keys() == kept.inputs.keys():
        return False
    return any(name in MEMBER and name not in kept.inputs for name in version.compiled.inputs)


def raw_inputs(
    version: LiveVersion, kept: Kept, *, event_type: str, event_date: date, member: MemberRef | None
) -> Mapping[str, object]:
    """What ``version.compiled.read`` takes. ``member`` is needed where ``asks_member`` says so."""
    inputs = kept.inputs
    wanted = version.compiled.inputs
    if wanted.keys() == inputs.keys():
        return inputs
    event = _event(kept, event_type, event_date)
    found: dict[str, object] = {}
    for name in wanted:
        if name in inputs:
            found[name] = inputs[name]
        else:
            # Without a member only the event is asked, which is what this source reads then.
            found[name] = SOURCES[name](event, member)  # type: ignore[arg-type]
    return found


def _event(kept: Kept, event_type: str, event_date: date) -> NewAccrual:
    """The event in the partner's words, as far as a rule may read them."""
    said = {**kept.event, **{name: value for name, value in kept.inputs.items() if name in _OF_EVENT}}
    amount = said.get("amount")
    return NewAccrual(
        program_code="",
        event_id="",
        employee_id=said["employee_id"],
        event_type=event_type,
        event_date=event_date,
        quantity=Decimal(said["quantity"]),
        unit=said["unit"],
        amount=None if amount is None else Decimal(amount),
        currency=said.get("currency"),
        pay_period=said.get("pay_period"),
        job_code_override=said.get("job_code_override"),
        category=said.get("category"),
        reference=said.get("reference"),
        description=said.get("description"),
    )


_OF_EVENT = frozenset({"quantity", "unit", "amount", "currency", "pay_period", "category"})
