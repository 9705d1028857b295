"""Source and constants -> a function. The module that runs has no builtins and knows only what it is given."""

from collections.abc import Callable, Mapping
from typing import Any

Decide = Callable[..., Any]


def load(source: str, constants: Mapping[str, object], entry: str) -> Decide:
    """Run ``source``, which ``emit`` made, and return its function ``entry``."""
    scope: dict[str, Any] = {"__builtins__": {}, **constants}
    # The source consists of the compiler's own names and symbols only; no text of a rule is in it (see emit).
    exec(compile(source, "<rule>", "exec"), scope)  # noqa: S102 - this is what a compiler is for
    function: Decide = scope[entry]
    return function
