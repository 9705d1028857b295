"""A partner with several programs: what one says of a member at an outside system, another must not unsay."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.engine import Connection

from chalicelib.language import DeclaredOutput, compile_ruleset
from chalicelib.language.faults import Report, shown
from chalicelib.rules import rulesets
from chalicelib.rules.targets import PROGRAM, fought_over


def examine(
    db: Connection,
    mappings: Sequence[tuple[str, str]],
    program_codes: Collection[str],
    *,
    documents: Mapping[str, Mapping[str, Any]],
    report: Report,
    now: datetime,
) -> None:
    """Report each mapping by which records of two programs would set the same fields of one customer.

    ``mappings`` pairs the pointer of what is to blame with a code; ``documents`` are right and about to replace what
    is in force. A code that names nothing is left to others.
    """
    if len(program_codes) < 2:
        return
    for pointer, code in mappings:
        names = fought_over(_outputs(db, code, documents, now), program_codes)
        if names:
            report.add(
                pointer,
                "programs_share_fields",
                f"the mapping {code} sets the same fields of a customer for each program ({', '.join(names)}):"
                f" of {' and '.join(sorted(program_codes))}, the last to change would win",
                expected=f"fields whose names carry the program: {names[0]}_{PROGRAM}",
                found=shown(names[0]),
                suggestion=f"name them like `{names[0]}_{PROGRAM}` in the mapping",
            )


def _outputs(
    db: Connection, code: str, documents: Mapping[str, Mapping[str, Any]], now: datetime
) -> Mapping[str, DeclaredOutput]:
    if code in documents:
        return compile_ruleset(documents[code]).outputs
    version = rulesets.timeline(db, code, known_at=now).on(now.date())
    return {} if version is None or version.kind != "mapping" else version.compiled.outputs
