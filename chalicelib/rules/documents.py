"""Rule documents: what an admin writes, checked as a whole before anything of it is stored."""

from collections.abc import Mapping
from typing import Any

from chalicelib.language import CaseResult, Compiled, compile_ruleset
from chalicelib.language.faults import Report, at, shown
from chalicelib.records import dataclass
from chalicelib.rules import facts, layouts, targets
from chalicelib.rules.envelopes import Envelope, envelope, text
from chalicelib.rules.versions import LiveVersion

KINDS = ("accrual", "eligibility", "enrolment", "layout", "mapping", "routing", "validation")
_POINTS_SCALE_MAX = 6
#: What an eligibility rule may answer, and of which type it is.
_ELIGIBILITY_OUTPUTS: Mapping[str, tuple[str, ...]] = {
    "eligible": ("boolean",),
    "reason": ("enum", "string"),
    "quantity_max": ("integer",),
}


@dataclass(frozen=True, slots=True)
class Checked:
    """What is known of a document that is right; ``code_tables`` are those that it looks up in."""

    envelope: Envelope
    code_tables: frozenset[str]


def check(document: Mapping[str, Any]) -> Checked:
    """Check a whole document: form, types, known facts, and its own cases, all of which must pass.

    Needs no database, so an editor or a dry run can call it. Raises RuleRefused naming every fault
    with its JSON Pointer.
    """
    opened, rule = _read(document)
    if opened.kind != "layout":
        report = Report()
        _examine_cases(rule.run_cases(), report)
        report.refuse_if_any()
    return Checked(opened, rule.code_tables)


def read(document: Mapping[str, Any]) -> Checked:
    """Check what a draft must be: form, types and known facts. Its cases may still be red, or not written yet.

    Raises RuleRefused as ``check`` does.
    """
    opened, rule = _read(document)
    return Checked(opened, rule.code_tables)


def _read(document: Mapping[str, Any]) -> tuple[Envelope, Compiled]:
    opened = envelope(document, kinds=KINDS)
    if opened.kind == "layout":
        return opened, layouts.parse(document).compiled
    rule = compile_ruleset(document)
    report = Report()
    if opened.kind == "accrual":
        facts.examine(rule.inputs, facts.ACCRUAL, report)
        facts.examine_aggregates(rule.aggregates, rule.inputs, report)
        _examine_points(rule, report)
    elif opened.kind == "eligibility":
        facts.examine(rule.inputs, facts.ELIGIBILITY, report)
        _examine_eligibility(rule, report)
    elif opened.kind == "enrolment":
        facts.examine(rule.inputs, facts.MEMBER, report)
    elif opened.kind == "mapping":
        _examine_mapping(document, rule, report)
    report.refuse_if_any()
    return opened, rule


def compiled(version: LiveVersion) -> Compiled:
    """The compiled rule of a version of any kind; a layout's inputs are its columns, its outputs its fields."""
    return layouts.parse(version.document).compiled if version.kind == "layout" else version.compiled


def _examine_points(rule: Compiled, report: Report) -> None:
    """An accrual rule answers with points and nothing else."""
    for name in rule.outputs:
        if name != "points":
            report.unknown(at("/outputs", name), "output", name, ("points",))
    points = rule.outputs["points"]
    if points.type != "decimal" or (points.scale or 0) > _POINTS_SCALE_MAX:
        report.add(
            "/outputs/points",
            "bad_points",
            f"points are a decimal of at most {_POINTS_SCALE_MAX} digits after the point",
            expected=f"decimal, scale 0 to {_POINTS_SCALE_MAX}",
            found=f"{points.type}, scale {points.scale}",
        )
    if points.nullable or points.personal:
        report.add(
            "/outputs/points", "bad_points", "points are never null or personal", expected="a number", found="nullable"
        )


def _examine_eligibility(rule: Compiled, report: Report) -> None:
    """An eligibility rule says yes or no and, if it wants, why and how many pieces at most."""
    for name in rule.aggregates:
        report.unknown(at("/aggregates", name), "sum", name, ())
    for name, output in rule.outputs.items():
        types = _ELIGIBILITY_OUTPUTS.get(name)
        if types is None:
            report.unknown(at("/outputs", name), "output", name, tuple(_ELIGIBILITY_OUTPUTS))
        elif output.type not in types or output.personal:
            expected = f"{' or '.join(types)}, not personal"
            report.add(
                at("/outputs", name), "bad_output", f"`{name}` is {types[0]}", expected=expected, found=output.type
            )


def _examine_mapping(document: Mapping[str, Any], rule: Compiled, report: Report) -> None:
    entity = text(document, "entity", report)
    known = facts.ENTITIES.get(entity)
    if known is not None:
        facts.examine(rule.inputs, known, report)
    elif entity:
        report.unknown("/entity", "entity", entity, facts.ENTITIES)
    targets.examine(text(document, "target", report), rule.outputs, report)


def _examine_cases(results: list[CaseResult], report: Report) -> None:
    if not results:
        report.add("/cases", "no_cases", "a rule shows by cases what it decides", expected="a case", found="none")
    for number, result in enumerate(results):
        if not result.passed:
            report.add(
                at("/cases", number),
                "case_failed",
                f"case `{result.name}` fails: {result.message}",
                expected=shown(result.expected),
                found=shown(result.actual),
            )
