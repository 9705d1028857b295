"""What a program says about holds, refunds and corrections, with what holds where it says nothing."""

from decimal import Decimal
from typing import Literal, TypeAlias

from chalicelib.partners.programs.programs import Program
from chalicelib.partners.programs.terms import Corrections, Lots
from chalicelib.records import dataclass

Reversal: TypeAlias = Literal["refuse", "partial", "overdraft"]


@dataclass(frozen=True, slots=True)
class Policy:
    """One program's choices. Amounts are minor units of the program; ``second_person_above_minor`` None: never."""

    keeps_held: bool
    refund_grace_days: int
    reversal: Reversal
    second_person_above_minor: int | None
    reason_codes: tuple[str, ...]
    consent_in_files: bool = False


def of(program: Program) -> Policy:
    """The program's choices. The defaults are those of the manifest (``partners.programs.terms``)."""
    lots = Lots.model_validate(program.lots)
    corrections = Corrections.model_validate(program.corrections or {})
    above = corrections.second_person_above
    return Policy(
        keeps_held=lots.held_at_expiry == "keep",
        refund_grace_days=lots.refund_grace_days,
        reversal=corrections.reversal,
        # Rounded down: a finer threshold than the program's unit lets no more through without a second person.
        second_person_above_minor=None if above is None else int(Decimal(above).scaleb(program.scale)),
        reason_codes=tuple(corrections.reason_codes),
        consent_in_files=corrections.consent_in_files,
    )
