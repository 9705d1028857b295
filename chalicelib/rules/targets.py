"""What a mapping may give to each kind of outside system: the names of its fields."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from chalicelib.language import DeclaredOutput
from chalicelib.language.faults import Report, at


@dataclass(frozen=True, slots=True)
class Shape:
    """The fields of one system's record: those it needs, those it has, and the pattern of those a customer adds."""

    needed: frozenset[str]
    known: frozenset[str]
    custom: re.Pattern[str]


#: By connector. A Commerce Cloud customer: schema ``Customer`` of SCAPI Customers 1.1.3 without what the store sets.
SHAPES: Mapping[str, Shape] = {
    "sfcc_customers": Shape(
        needed=frozenset({"customerNo", "lastName"}),
        known=frozenset(
            {
                *("birthday", "companyName", "credentials", "customerNo", "email", "fax", "firstName", "gender"),
                *("jobTitle", "lastName", "phoneBusiness", "phoneHome", "phoneMobile", "preferredLocale"),
                *("primaryAddress", "salutation", "secondName", "suffix", "title"),
            }
        ),
        custom=re.compile(r"c_[A-Za-z][A-Za-z0-9_]{0,253}"),
    )
}


def examine(target: str, outputs: Mapping[str, DeclaredOutput], report: Report) -> None:
    """Report each output that the target has no field for, and each needed field that no output sets."""
    shape = SHAPES.get(target)
    if shape is None:
        if target:
            report.unknown("/target", "target", target, SHAPES)
        return
    for name in outputs:
        if name not in shape.known and not shape.custom.fullmatch(name):
            report.unknown(at("/outputs", name), "field", name, sorted(shape.known))
    for name in sorted(shape.needed):
        if name not in outputs or outputs[name].nullable:
            report.add(
                at("/outputs", name),
                "field_missing",
                f"the target needs `{name}`",
                expected="an output that is never null",
                found="a nullable output" if name in outputs else "no such output",
            )
