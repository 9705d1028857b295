"""Trying a stored version on one record: read-only, with the whole trace."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any, Literal

from sqlalchemy.engine import Connection

from chalicelib.errors import Fault, InvalidInput
from chalicelib.language import CodeTables, Compiled, DecisionRefused, InputRefused, Value
from chalicelib.language.faults import at
from chalicelib.records import dataclass
from chalicelib.rules import code_tables, documents
from chalicelib.rules.versions import LiveVersion


@dataclass(frozen=True, slots=True)
class Simulated:
    """What a version says to a record. ``applies``: ``when`` is false, nothing is decided. ``trace`` is JSON-able."""

    outcome: Literal["decided", "not_applicable", "refused"]
    outputs: Mapping[str, Value] | None
    faults: tuple[Fault, ...]
    trace: Mapping[str, Any]


def simulate(
    db: Connection,
    tried: LiveVersion,
    record: Mapping[str, object],
    *,
    as_of: date,
    aggregates: Mapping[str, Decimal],
    known: CodeTables | None = None,
) -> Simulated:
    """Let a version decide one record on a day; nothing is written.

    ``known``: the code tables to look up in, instead of those in force on that day as they are known now.
    An aggregate that is declared and not given is zero. A record that does not have the declared inputs, or that the
    rule has no answer for, is ``refused`` with its faults. Raises InvalidInput for an aggregate that is not declared.
    """
    compiled = documents.compiled(tried)
    summed = _aggregates(compiled, aggregates)
    try:
        facts = compiled.read(record)
    except InputRefused as refused:
        return Simulated("refused", None, refused.faults, {})
    facts |= summed
    tables = code_tables.resolve(db, compiled.code_tables, on=as_of) if known is None else known
    trace = compiled.explain(facts, as_of=as_of, code_tables=tables)
    try:
        outputs = compiled.decide(facts, as_of=as_of, code_tables=tables)
    except DecisionRefused:
        return Simulated("refused", None, compiled.faults(facts, as_of=as_of, code_tables=tables), trace)
    return Simulated("not_applicable" if outputs is None else "decided", outputs, (), trace)


def _aggregates(compiled: Compiled, given: Mapping[str, Decimal]) -> dict[str, Value]:
    faults = [
        Fault(at("/aggregates", name), "unknown_aggregate", "The rule declares no such aggregate.")
        for name in given
        if name not in compiled.aggregates
    ]
    if faults:
        raise InvalidInput("The aggregates are not those of the rule.", code="unknown_aggregate", faults=faults)
    return {name: given.get(name, Decimal(0)) for name in compiled.aggregates}
