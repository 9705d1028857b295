"""``{"on_miss": "error" | "null" | "default", "default": x}``: what an operator gives when it finds nothing.

A look-up in a code table has a fourth way, ``quarantine``: the record is refused until the table has the code.
"""

from chalicelib.language.check import Checker, wrong
from chalicelib.language.faults import at
from chalicelib.language.kinds import Kind
from chalicelib.language.parse import Call
from chalicelib.language.places import Narrowed
from chalicelib.language.tree import Node
from chalicelib.records import dataclass

CHOICES = ("error", "default", "null")
QUARANTINE = "quarantine"


@dataclass(frozen=True, slots=True)
class Miss:
    """``refuses``: the record is refused. ``default``: no or one expression whose value is taken; none means null."""

    refuses: bool
    default: tuple[Node, ...] = ()
    quarantine: bool = False


def _unpaired(checker: Checker, call: Call, chosen: str) -> None:
    """Note a default that is missing, or that nothing takes."""
    missing = chosen == "default"
    checker.report.add(
        at(call.pointer, call.operator),
        "bad_literal",
        'with "on_miss": "default" a default is needed'
        if missing
        else f'with "on_miss": "{chosen}" no default is taken',
        expected='"default" beside "on_miss": "default"' if missing else "no default",
        found="none" if missing else "one",
        suggestion='add it, like {"on_miss": "default", "default": ""}' if missing else 'set "on_miss": "default"',
    )


def on_miss(checker: Checker, call: Call, narrowed: Narrowed, choices: tuple[str, ...] = CHOICES) -> Miss | None:
    """Read the options of ``call``; None, and a fault, when they are wrong."""
    chosen = checker.choice(call.options["on_miss"], choices) if "on_miss" in call.options else "error"
    if chosen is None:
        return None
    if (chosen == "default") is not ("default" in call.options):
        _unpaired(checker, call, chosen)
        return None
    if chosen != "default":
        return Miss(refuses=chosen in {"error", QUARANTINE}, quarantine=chosen == QUARANTINE)
    default = checker.node(call.options["default"], narrowed)
    if default.type.kind not in {Kind.STRING, Kind.NULL, Kind.UNKNOWN}:
        checker.mismatch(default, Kind.STRING)
        default = wrong(default.pointer)
    return Miss(refuses=False, default=(default,))
