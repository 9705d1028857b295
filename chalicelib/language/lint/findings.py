"""The faults that a rule can have although it loads: their codes, how grave they are, and what they mean."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Literal

from chalicelib.language.faults import RuleFault
from chalicelib.records import dataclass

Severity = Literal["error", "warning"]
FINDINGS_MAX = 200


@dataclass(frozen=True, slots=True)
class Code:
    """One kind of finding. ``meaning`` and ``mend`` are whole sentences, for the documentation."""

    severity: Severity
    meaning: str
    mend: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One place of a rule document that is suspicious; ``pointer`` is a JSON Pointer into the document.

    An ``error`` keeps the version from being promoted, a ``warning`` does not. ``message`` says what and where, with
    values; ``suggestion`` says how to mend it.
    """

    pointer: str
    code: str
    severity: Severity
    message: str
    suggestion: str


CODES: Mapping[str, Code] = MappingProxyType(
    {
        "unreachable_row": Code(
            "error",
            "No record can hit this row of a table: earlier rows take its records, or its values never occur.",
            "Remove the row, put it before the rows that hide it, or correct its conditions.",
        ),
        "table_overlap": Code(
            "error",
            "Two rows can both hit where the hit policy allows one. Such a rule does not load.",
            "Narrow one of the rows, or choose another hit policy.",
        ),
        "table_gap": Code(
            "warning",
            "A record with declared values reaches the table and no row takes it: that record will be refused.",
            'Add a row for it, a last row of "-", or declare that the values do not occur.',
        ),
        "table_gap_unchecked": Code(
            "warning",
            "Whether some record falls into a gap was not found out: the table has too many combinations, or tests"
            " computed decimals.",
            "Split the table into several, or end it with a row that takes the rest.",
        ),
        "unreachable_branch": Code(
            "error",
            "No record gets to this arm of an `if`, this alternative of a `coalesce`, this part of a condition.",
            "Remove it, or correct the conditions before it.",
        ),
        "unreachable_otherwise": Code(
            "warning",
            "The conditions of an `if` take every record, so that its last argument is never used.",
            "Leave out the last condition and let its value be what otherwise happens.",
        ),
        "always_true": Code(
            "warning",
            "This condition holds for every record that gets to it: it decides nothing.",
            "Remove the condition, or correct it.",
        ),
        "always_false": Code(
            "error",
            "This condition holds for no record that gets to it: what depends on it never happens.",
            "Correct the condition, or remove it together with what depends on it.",
        ),
        "always_constant": Code(
            "warning",
            "This `min` or `max` has the same value for every record that gets to it: its limits leave no other.",
            "Correct the limits, or write the constant.",
        ),
        "always_refused": Code(
            "error",
            "Every record that gets here is refused: it is divided by zero.",
            "Correct the divisor, or remove what depends on it.",
        ),
        "output_never_set": Code(
            "warning",
            "The output is null, or has no value, for every record.",
            "Remove the output, or give it the value that was meant.",
        ),
        "unused_input": Code(
            "warning",
            "Nothing that the rule decides reads this input.",
            "Remove the declaration, or use the input.",
        ),
        "unused_let": Code("warning", "Nothing that the rule decides uses this name.", "Remove it, or use it."),
        "unused_table": Code("warning", "Nothing that the rule decides reads this table.", "Remove it, or use it."),
        "unused_column": Code(
            "warning", "Nothing that the rule decides reads this result column.", "Remove the column, or use it."
        ),
        "unused_aggregate": Code(
            "warning",
            "Nothing that the rule decides reads this sum, which costs a query for every event.",
            "Remove it, or use it.",
        ),
        "uncovered": Code(
            "error",
            "No case of the rule file shows what comes of this branch, row, limit, default or miss.",
            "Add a case that gets there, with what it must give.",
        ),
        "conflicting_rulesets": Code(
            "error",
            "Two rulesets decide the same event on the same day.",
            "End one of them before the other begins, or make their conditions exclude each other.",
        ),
        "lint_incomplete": Code(
            "warning",
            "The conditions depend on one another in so many ways that some were not looked at.",
            "Split the rule, or name parts of it in `let`.",
        ),
    }
)


def finding(pointer: str, code: str, message: str, suggestion: str) -> Finding:
    """A finding of the severity of its code."""
    return Finding(pointer, code, CODES[code].severity, message, suggestion)


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Errors first, of them what cases do not show last, then by place; each once, at most ``FINDINGS_MAX``."""
    distinct = {(one.pointer, one.code, one.message): one for one in findings}
    # Of a rule without cases a great many are uncovered: they do not crowd out the others.
    kept = sorted(distinct.values(), key=lambda one: one.code == "uncovered")[:FINDINGS_MAX]
    ordered = sorted(kept, key=lambda one: (one.severity, one.code == "uncovered", one.pointer, one.code))
    return tuple(ordered)


def of_fault(fault: RuleFault) -> Finding:
    """A fault that kept a rule from loading, in the form of a finding: a list of both reads as one."""
    suggestion = fault.suggestion or f"expected {fault.expected}"
    return Finding(fault.pointer, fault.code, "error", fault.message, suggestion)
