"""What is linted: a checked program together with what its document declares."""

from collections.abc import Mapping

from chalicelib.language.cases import Case
from chalicelib.language.declared import Aggregate, Declared, Origin
from chalicelib.language.needs import Needs
from chalicelib.language.tree import Program
from chalicelib.records import dataclass


@dataclass(frozen=True, slots=True)
class Subject:
    """One rule."""

    program: Program
    needs: Needs
    inputs: Mapping[str, Declared]
    aggregates: Mapping[str, Aggregate]
    cases: tuple[Case, ...]
    origin: Origin
