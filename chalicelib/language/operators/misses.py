"""``{"on_miss": "error" | "null" | "default", "default": x}``: what an operator gives when it finds nothing."""

from dataclasses import dataclass

from chalicelib.language.check import Checker, Narrowed, wrong
from chalicelib.language.faults import at
from chalicelib.language.kinds import Kind
from chalicelib.language.parse import Call
from chalicelib.language.tree import Node

CHOICES = ("error", "default", "null")


@dataclass(frozen=True, slots=True)
class Miss:
    """``refuses``: the record is refused. ``default``: no or one expression whose value is taken; none means null."""

    refuses: bool
    default: tuple[Node, ...] = ()


def on_miss(checker: Checker, call: Call, narrowed: Narrowed) -> Miss | None:
    """Read the options of ``call``; None, and a fault, when they are wrong."""
    chosen = checker.choice(call.options["on_miss"], CHOICES) if "on_miss" in call.options else "error"
    if chosen is None:
        return None
    if (chosen == "default") is not ("default" in call.options):
        checker.report.add(
            at(call.pointer, call.operator),
            "bad_literal",
            'a default goes with "on_miss": "default"',
            expected='"default" if, and only if, "on_miss" is "default"',
            found=f'"on_miss": "{chosen}"',
        )
        return None
    if chosen != "default":
        return Miss(refuses=chosen == "error")
    default = checker.node(call.options["default"], narrowed)
    if default.type.kind not in {Kind.STRING, Kind.NULL, Kind.UNKNOWN}:
        checker.mismatch(default, Kind.STRING)
        default = wrong(default.pointer)
    return Miss(refuses=False, default=(default,))
