"""`hub rules test`: the cases of a rule file, or of a version in the hub with its golden cases, and what they cover."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from cli.client import segment
from cli.reporting import REFUSED, AsJson, reporting
from cli.rules import case_view, subjects
from cli.target import chosen

if TYPE_CHECKING:
    from cli.rules.files import RuleFile


def run_cases(
    *,
    what: Annotated[str, typer.Argument(help="A rule file, or the code of a ruleset.", metavar="FILE|RULESET")],
    version: Annotated[
        int | None, typer.Option(min=1, help="Of a ruleset in the hub: which version; else the latest.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run the cases of a rule and say what they cover.

    A file (its name ends in .json) is tested here, without a hub. A ruleset is tested in the hub, with the golden cases
    that every version must pass. Ends with 1 when a case is red, a place is not covered or a lint is an error.
    """
    with reporting(as_json=as_json) as report:
        path = subjects.file(what, version=version)
        if path is None:
            client = chosen().client()
            number = version or subjects.latest(client, what)
            address = f"/v1/rulesets/{segment(what)}/versions/{number}"
            tested: Mapping[str, Any] = {
                "what": f"{what} version {number}",
                **client.post_text(f"{address}/tests", None),
            }
            explain = f"hub rules explain {what} --version {number}"
        else:
            from cli.rules import files

            tested = _file(files.load(path))
            explain = f"hub rules explain {what}"
        report.answer(tested, Text(tested["what"], style="bold"), *case_view.shown(tested, explain))
        if not tested["ready"]:
            raise typer.Exit(REFUSED)


def _file(rule: "RuleFile") -> Mapping[str, Any]:
    coverage = rule.coverage
    return {
        "what": f"{rule.name} ({rule.code}, {rule.kind})",
        "ready": not rule.errors,
        "cases": [
            {
                "name": case.name,
                "case_id": None,
                "passed": case.passed,
                "skipped": False,
                "message": case.message or None,
                "expected": dict(case.expected),
                "actual": dict(case.actual),
            }
            for case in rule.cases
        ],
        "coverage": None
        if coverage is None
        else {
            "complete": coverage.complete,
            "percent": str(coverage.percent),
            "items": [asdict(item) for item in coverage.items],
        },
        "findings": [asdict(finding) for finding in rule.findings],
        "shut": [asdict(fault) for fault in rule.errors],
    }
