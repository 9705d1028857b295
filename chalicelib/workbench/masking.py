"""A case made of a real record: what the rule read as given, what it decided as expected, nothing personal.

The record is a posted accrual, or a row that was rejected when its rule was asked.

Facts hold nothing personal by construction; what a rule declares personal is masked all the same, and the employee's
number is replaced wherever it stands in a text. A case that would be decided otherwise because of that is not made.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from json import loads
from typing import Any

from sqlalchemy.engine import Connection

from chalicelib.errors import Broken, NotFound, Unprocessable
from chalicelib.files.register.register import InboundFile
from chalicelib.language import Compiled, json_value
from chalicelib.language.cases import REFUSED, run_case
from chalicelib.points.deciding import aggregates, deciding, screening
from chalicelib.points.deciding.aggregates import Span
from chalicelib.points.deciding.deciding import Bench, Proof
from chalicelib.points.deciding.screening import Screened
from chalicelib.points.ledger import history
from chalicelib.points.ledger.history import Event
from chalicelib.rules import code_tables, rulesets
from chalicelib.rules.rulesets import LiveVersion
from chalicelib.workbench import rows

#: What stands for an employee's number in a case.
EMPLOYEE = "EMPLOYEE-0"
_MASK = "masked"


def case_of(db: Connection, ruleset_code: str, accrual_id: bytes, *, name: str, why: str | None) -> dict[str, Any]:
    """The case made of a posted record. Raises NotFound, also for a record that another ruleset decided.

    Unprocessable (``masking_changes_decision``) when the rule decided by what a case must not hold.
    """
    event = history.event(db, accrual_id)
    version = rulesets.version(db, event.ruleset_version_id)
    if version.ruleset_code != ruleset_code:
        raise NotFound(f"No such record was decided by {ruleset_code}: it was decided by {version.ruleset_code}.")
    proof = Proof.of(event.facts)
    _require_recomputed(version, proof, event)
    employee_id = _employee(event)
    document: dict[str, Any] = {
        "name": name,
        "as_of": event.event_date.isoformat(),
        "given": _masked_inputs(version.compiled, proof.inputs, employee_id),
        "expect": _expected(version, proof, event),
    }
    if why is not None:
        document["why"] = why
    if proof.aggregates:
        document["aggregates"] = {key: format(value, "f") for key, value in proof.aggregates.items()}
    if proof.lookups:
        document["code_tables"] = {
            table: {_replaced(code, employee_id): _replaced(value, employee_id) for code, value in entries.items()}
            for table, entries in proof.lookups.items()
        }
    result = run_case(version.compiled, version.compiled.case(document))
    if not result.passed:
        raise Unprocessable(
            f"Without what is personal, {ruleset_code} decides otherwise: {result.message}. Write this case by hand.",
            code="masking_changes_decision",
        )
    return document


def case_of_row(
    db: Connection,
    ruleset_code: str,
    file: InboundFile,
    row_no: int,
    *,
    name: str,
    why: str | None,
    expect: Mapping[str, Any] | None,
    now: datetime,
) -> dict[str, Any]:
    """The case made of a rejected row of a file; without ``expect``, of what the version in force on its day says now.

    Raises NotFound for a row that another ruleset decides, and as ``rows.rejected`` does; Unprocessable for one that no
    rule is asked about (``no_rule_asked``).
    """
    partner, event = rows.rejected(db, file, row_no)
    unasked = screening.malformed(event)
    screened = Screened([], {0: unasked}) if unasked else screening.screen(db, partner.id, {0: event}, now=now)
    if not screened.questions:
        raise Unprocessable(f"No rule is asked about the row: {screened.refused[0].message}", code="no_rule_asked")
    [question] = screened.questions
    version, day = question.version, event["event_date"]
    if version.ruleset_code != ruleset_code:
        raise NotFound(f"No such record is decided by {ruleset_code}: it is decided by {version.ruleset_code}.")
    compiled = version.compiled
    spans = sorted({Span.of(declared) for declared in compiled.aggregates.values()})
    bench = Bench(db, aggregates.read(db, [(question.account_id, day)], spans))
    given = {key: json_value(source(event, question.member)) for key, source in bench.way(version).sources}
    sums = deciding.aggregates(bench, version, account_id=question.account_id, day=day, scale=question.program.scale)
    document: dict[str, Any] = {
        "name": name,
        "as_of": day.isoformat(),
        "given": _masked_inputs(compiled, given, event["employee_id"]),
        "expect": {"applies": True} if expect is None else dict(expect),
    }
    if why is not None:
        document["why"] = why
    if sums:
        document["aggregates"] = {key: json_value(value) for key, value in sums.items()}
    if compiled.code_tables:
        document["code_tables"] = code_tables.resolve(db, compiled.code_tables, on=day)
    if expect is None:
        actual = run_case(compiled, compiled.case(document)).actual
        document["expect"] = {REFUSED: actual[REFUSED][-1]} if REFUSED in actual else dict(actual)
    return document


def _require_recomputed(version: LiveVersion, proof: Proof, event: Event) -> None:
    again = deciding.decide_again(version, proof, as_of=event.event_date, scale=event.scale) or 0
    if again != event.points_minor:
        raise Broken("A stored decision gives other points when it is computed again.")


def _expected(version: LiveVersion, proof: Proof, event: Event) -> dict[str, Any]:
    outputs = version.compiled.decide(deciding.given(version, proof), as_of=event.event_date, code_tables=proof.lookups)
    return {"applies": False} if outputs is None else {name: json_value(value) for name, value in outputs.items()}


def _employee(event: Event) -> str:
    facts = loads(event.facts)
    return str(facts["event"].get("employee_id") or facts["inputs"]["employee_id"])


def _masked_inputs(compiled: Compiled, inputs: Mapping[str, object], employee_id: str) -> dict[str, object]:
    masked: dict[str, object] = {}
    for name, value in inputs.items():
        declared = compiled.inputs[name]
        if declared.personal and value is not None:
            masked[name] = _MASK if declared.type == "string" else None
        elif isinstance(value, str) and declared.type == "string":
            masked[name] = _replaced(value, employee_id)
        else:
            masked[name] = value
    return masked


def _replaced(text: str, employee_id: str) -> str:
    """The text with the employee's number, where it stands as a word, replaced."""
    return re.sub(rf"(?<![0-9A-Za-z]){re.escape(employee_id)}(?![0-9A-Za-z])", EMPLOYEE, text, flags=re.IGNORECASE)
