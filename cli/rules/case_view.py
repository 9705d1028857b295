"""How cases and what they cover are shown: red ones with what was expected, what came, and how to see why."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import RenderableType
from rich.text import Text


def shown(tested: Mapping[str, Any], explain: str) -> list[RenderableType]:
    """Cases, coverage and lints of one version or file; ``explain`` is the command that explains one case of it."""
    return [
        *(_case(case, explain) for case in tested["cases"]),
        *_coverage(tested["coverage"]),
        *(_finding(finding) for finding in tested["findings"]),
        _totals(tested),
    ]


def _case(case: Mapping[str, Any], explain: str) -> Text:
    word, style = (
        ("skipped", "dim") if case["skipped"] else ("passed", "green") if case["passed"] else ("FAILED", "red")
    )
    # Not folded: the command is there to be copied.
    text = Text(f"  {word:<8}", style=style, no_wrap=True).append(case["name"], style="default")
    if not case["passed"]:
        text.append(f"\n          expected  {_values(case['expected'])}", style="green")
        text.append(f"\n          got       {_values(case['actual'])}", style="red")
        if not case["actual"] and case["message"]:
            text.append(f"\n          {case['message']}", style="default")
        if case["case_id"] is None:
            text.append(f"\n          why:      {explain} --case {shlex.quote(case['name'])}", style="dim")
    return text


def _coverage(coverage: Mapping[str, Any] | None) -> Iterator[Text]:
    if coverage is None:
        return
    for item in coverage["items"]:
        if not item["by"]:
            yield (
                Text("  bare    ", style="red")
                .append(f"no case gets to {item['what']}", style="default")
                .append(f"  {item['pointer']}", style="dim")
            )


def _finding(finding: Mapping[str, Any]) -> Text:
    style = "red" if finding["severity"] == "error" else "yellow"
    text = Text(f"  {finding['severity']:<8}", style=style).append(finding["message"], style="default")
    return text.append(f"  {finding['pointer']}", style="dim")


def _totals(tested: Mapping[str, Any]) -> Text:
    cases: Sequence[Mapping[str, Any]] = tested["cases"]
    red = sum(not case["passed"] for case in cases)
    coverage = tested["coverage"]
    covered = "" if coverage is None else f", {coverage['percent']} % covered"
    text = Text(f"{len(cases) - red} of {len(cases)} cases passed{covered}.", style="bold")
    if not tested["ready"]:
        text.append(" It may not decide yet.", style="red")
    return text


def _values(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} = {value}" for name, value in values.items()) or "nothing"
