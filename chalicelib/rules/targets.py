"""What a mapping may give to each kind of outside system: the names of its fields.

A record is about one program of a member, and the outside system has one customer for all of them. So a field that
tells of the program carries the program's code in its name, ``c_points_{program_code}``, where a partner has several.
"""

import re
from collections import Counter
from collections.abc import Collection, Mapping
from typing import Final

from chalicelib.language import DeclaredOutput
from chalicelib.language.faults import Report, at
from chalicelib.records import dataclass
from chalicelib.rules import facts

#: In the name of a custom field: the program's code, with "_" for "-", which such names do not have.
PROGRAM: Final = "{program_code}"


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
        if name not in shape.known and not shape.custom.fullmatch(field(name, "code")):
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


def field(output: str, program_code: str) -> str:
    """The field that an output of a mapping sets for a record of a program."""
    return output.replace(PROGRAM, program_code.replace("-", "_"))


def fought_over(outputs: Mapping[str, DeclaredOutput], program_codes: Collection[str]) -> list[str]:
    """The fields that records of several programs of one member set, each to its own value: the last would win."""
    writers: Counter[str] = Counter()
    for name, output in outputs.items():
        of_member = set(output.columns) <= facts.OF_MEMBER
        writers.update({name} if of_member else [field(name, code) for code in program_codes])
    return [name for name, count in writers.items() if count > 1]
