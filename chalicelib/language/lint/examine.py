"""All lints over one rule."""

from chalicelib.language.lint.findings import Finding
from chalicelib.language.lint.reach import Reach
from chalicelib.language.lint.subject import Subject
from chalicelib.language.lint.tables import examine_tables
from chalicelib.language.lint.unused import unused
from chalicelib.records import dataclass


@dataclass(frozen=True, slots=True)
class Examined:
    """What linting found. ``dead`` and ``settled`` say what no case can reach: coverage does not ask for it.

    ``dead``: ways that no record takes, as (identity of the node, number of the way). ``settled``: conditions that come
    out in one way only, by the identity of the node. ``walked``: the definitions that something reachable uses.
    """

    findings: tuple[Finding, ...]
    dead: frozenset[tuple[int, object]]
    settled: dict[int, bool]
    walked: frozenset[str]


def examine(subject: Subject) -> Examined:
    """Lint one rule, its coverage by cases apart."""
    reach = Reach(subject.program, subject.inputs, subject.needs, (subject.origin.first, subject.origin.last))
    reach.walk()
    findings = [*reach.findings, *examine_tables(subject, reach), *unused(subject)]
    return Examined(tuple(findings), frozenset(reach.dead), reach.settled, frozenset(reach.uses))
