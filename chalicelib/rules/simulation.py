"""Trying a stored version on one record or on its own cases: read-only, with the whole trace."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Literal

from sqlalchemy.engine import Connection

from chalicelib.errors import Fault, InvalidInput
from chalicelib.language import CaseResult, Compiled, DecisionRefused, InputRefused, Value
from chalicelib.language.faults import RuleFault, RuleRefused, at
from chalicelib.rules import code_tables, documents
from chalicelib.rules.versions import LiveVersion


@dataclass(frozen=True, slots=True)
class Simulated:
    """What a version says to a record. ``applies``: ``when`` is false, nothing is decided. ``trace`` is JSON-able."""

    outcome: Literal["decided", "not_applicable", "refused"]
    outputs: Mapping[str, Value] | None
    faults: tuple[Fault, ...]
    trace: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Validated:
    """Whether a version is right by today's checks, with every fault and the result of each of its cases."""

    faults: tuple[RuleFault, ...]
    cases: tuple[CaseResult, ...]


def simulate(
    db: Connection,
    tried: LiveVersion,
    record: Mapping[str, object],
    *,
    as_of: date,
    aggregates: Mapping[str, Decimal],
) -> Simulated:
    """Let a version decide one record on a day, with today's code tables; nothing is written.

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
    tables = code_tables.resolve(db, compiled.code_tables, on=as_of)
    trace = compiled.explain(facts, as_of=as_of, code_tables=tables)
    try:
        outputs = compiled.decide(facts, as_of=as_of, code_tables=tables)
    except DecisionRefused:
        return Simulated("refused", None, compiled.faults(facts, as_of=as_of, code_tables=tables), trace)
    return Simulated("not_applicable" if outputs is None else "decided", outputs, (), trace)


def validate(db: Connection, tried: LiveVersion) -> Validated:
    """Check a stored version again: form, types, facts, code tables and cases, as if it were saved now."""
    try:
        checked = documents.check(tried.document)
    except RuleRefused as refused:
        faults = refused.faults
    else:
        faults = tuple(
            RuleFault(
                "",
                "unknown_code_table",
                f"there is no code table `{table}` that this rule's owner may use",
                expected="a code table of the owner, or a shared one",
                found=table,
            )
            for table in code_tables.foreign(db, checked.code_tables, tried.partner_id)
        )
    return Validated(faults, _cases(tried))


def _cases(tried: LiveVersion) -> tuple[CaseResult, ...]:
    if tried.kind == "layout":
        return ()
    try:
        return tuple(tried.compiled.run_cases())
    except RuleRefused:
        # What does not compile any more has no results; the faults say why.
        return ()


def _aggregates(compiled: Compiled, given: Mapping[str, Decimal]) -> dict[str, Value]:
    faults = [
        Fault(at("/aggregates", name), "unknown_aggregate", "The rule declares no such aggregate.")
        for name in given
        if name not in compiled.aggregates
    ]
    if faults:
        raise InvalidInput("The aggregates are not those of the rule.", code="unknown_aggregate", faults=faults)
    return {name: given.get(name, Decimal(0)) for name in compiled.aggregates}
