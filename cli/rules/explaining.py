"""`hub rules explain`: what a rule makes of one record, and why."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from chalicelib.errors import InvalidInput, NotFound
from chalicelib.language import CodeTables, DecisionRefused, InputRefused, RuleRefused, json_value, parse_json
from chalicelib.language.cases import Case
from chalicelib.rules import canonical
from cli import times
from cli.client import HubClient, segment
from cli.reporting import REFUSED, AsJson, reporting
from cli.rules import explanation, subjects
from cli.target import chosen

if TYPE_CHECKING:
    from cli.rules.files import RuleFile


def explain(
    *,
    what: Annotated[str, typer.Argument(help="A rule file, or the code of a ruleset.", metavar="FILE|RULESET")],
    record: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="A JSON file with the declared inputs by name, or with"
                     " `given`, `as_of` and `aggregates` as a case has them.", metavar="FILE"),
    ] = None,
    case: Annotated[str | None, typer.Option(help="The name of one of its cases.")] = None,
    accrual: Annotated[str | None, typer.Option(help="A posted event (acr_…), by the facts that decided it.")] = None,
    as_of: Annotated[
        str | None, typer.Option(parser=times.day, metavar="DAY", help="The day of the decision; else the record's.")
    ] = None,
    version: Annotated[
        int | None, typer.Option(min=1, help="Of a ruleset in the hub; else the one that decides today.")
    ] = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Show what a rule says to one record: the sentence, the clauses, the rows that were hit, every value on the way.

    Exactly one of --record, --case and --accrual says which record. A file is explained here, with the code tables of
    the folder beside it; a ruleset in the hub. Nothing is written. Ends with 1 when the record is refused.
    """
    if sum(one is not None for one in (record, case, accrual)) != 1:
        raise typer.BadParameter("say which record by exactly one of --record, --case and --accrual.")
    with reporting(as_json=as_json) as report:
        path = subjects.file(what, version=version)
        if path is not None:
            if accrual is not None:
                raise typer.BadParameter("the hub has posted events: name the ruleset by its code.")
            from cli.rules import files

            rule = files.load(path)
            found, document = _here(rule, record, case, as_of), rule.document
        else:
            client = chosen().client()
            number = version or subjects.live(client, what)
            body = (
                {"accrual_id": accrual, "as_of": as_of}
                if accrual
                else _asked(client, what, number, record, case, as_of)
            )
            address = f"/v1/rulesets/{segment(what)}/versions/{number}"
            found = {"version": number, **client.post_text(f"{address}/simulate", canonical.text(body))}
            document = parse_json(client.get(address)["content"])
        report.answer({"ruleset": what, **found}, *explanation.shown(found, document))
        if found["outcome"] == "refused":
            raise typer.Exit(REFUSED)


def _here(rule: "RuleFile", record: Path | None, case: str | None, as_of: str | None) -> Mapping[str, Any]:
    """The same answer as the hub gives to a simulation, worked out on this machine."""
    if record is None:
        one = _case(rule, case)
        given, sums, day, tables = one.given, one.aggregates, one.as_of, one.code_tables
    else:
        asked = _read(record)
        given, sums = asked["record"], {name: _decimal(name, each) for name, each in asked["aggregates"].items()}
        day = date.fromisoformat(_day(as_of or asked["as_of"]))
        tables = {}
    if as_of is not None:
        day = date.fromisoformat(as_of)
    if not tables and rule.compiled.code_tables:
        tables = rule.code_tables().on(day)
    return _decided(rule, given, {**dict.fromkeys(rule.compiled.aggregates, Decimal(0)), **sums}, day, tables)


def _decided(
    rule: "RuleFile", given: Mapping[str, object], sums: Mapping[str, Any], day: date, tables: CodeTables
) -> Mapping[str, Any]:
    compiled = rule.compiled
    try:
        facts = compiled.read(given) | dict(sums)
    except InputRefused as refused:
        return _answer("refused", refused.faults, {})
    trace = compiled.explain(facts, as_of=day, code_tables=tables)
    try:
        outputs = compiled.decide(facts, as_of=day, code_tables=tables)
    except DecisionRefused as refused:
        return _answer("refused", refused.faults, trace)
    if outputs is None:
        return _answer("not_applicable", (), trace)
    return {**_answer("decided", (), trace), "outputs": json_value(dict(outputs))}


def _answer(outcome: str, faults: Any, trace: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ANN401 - faults of two kinds
    told = [{"pointer": fault.pointer, "code": fault.code, "message": fault.message} for fault in faults]
    return {"outcome": outcome, "outputs": None, "faults": told, "trace": trace, "then": None}


def _asked(
    client: HubClient, code: str, number: int, record: Path | None, case: str | None, as_of: str | None
) -> dict[str, Any]:
    """The record of a file, or of a case of the version or of a golden one, as a simulation takes it."""
    if record is not None:
        asked = _read(record)
        return asked | {"as_of": _day(as_of or asked["as_of"])}
    address = f"/v1/rulesets/{segment(code)}"
    document = parse_json(client.get(f"{address}/versions/{number}")["content"])
    golden = {one["case_id"]: one["case"] for one in client.get(f"{address}/cases")["cases"]}
    cases = {one["name"]: one for one in document.get("cases", ())} | golden
    if case not in cases:
        raise _no_case(case, cases)
    found = cases[case]
    sums = {name: str(each) for name, each in found.get("aggregates", {}).items()}
    return {"record": found["given"], "aggregates": sums, "as_of": as_of or found["as_of"]}


def _case(rule: "RuleFile", name: str | None) -> Case:
    cases = {one.name: one for one in rule.compiled.cases}
    if name not in cases:
        raise _no_case(name, cases)
    return cases[name]


def _no_case(name: str | None, known: Mapping[str, object]) -> NotFound:
    listed = ", ".join(f"`{each}`" for each in known) or "none"
    return NotFound(f"There is no case `{name}`. The cases are: {listed}.", code="no_case")


def _read(path: Path) -> dict[str, Any]:
    try:
        found = parse_json(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, RuleRefused) as error:
        raise InvalidInput(f"{path} is not JSON: {error}", code="not_json") from error
    if not isinstance(found, dict):
        raise InvalidInput(f"{path} must hold one JSON object.", code="not_an_object")
    if isinstance(found.get("given"), dict):
        sums = {name: str(each) for name, each in (found.get("aggregates") or {}).items()}
        return {"record": found["given"], "aggregates": sums, "as_of": found.get("as_of")}
    return {"record": found, "aggregates": {}, "as_of": None}


def _decimal(name: str, text: str) -> Decimal:
    try:
        return Decimal(text)
    except ArithmeticError as error:
        raise InvalidInput(f"The aggregate {name} is no number: {text}.", code="unknown_aggregate") from error


def _day(text: str | None) -> str:
    if text is None:
        raise typer.BadParameter("say the day of the decision, as 2026-11-20.", param_hint="--as-of")
    return times.day(text)
