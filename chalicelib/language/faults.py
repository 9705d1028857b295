"""How the language says what is wrong: with a rule (at load), with a record's inputs, with a decision.

Every rule fault carries a JSON Pointer, what was expected, what was found and, where one can be made, a suggestion.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import islice

from chalicelib.errors import Fault, InvalidInput, Unprocessable
from chalicelib.records import dataclass

FAULTS_MAX = 200
#: The code of a look-up that found nothing where ``on_miss`` is "quarantine".
UNMAPPED = "unmapped_code"
SUGGESTIONS_MAX = 25
# What is looked at for a suggestion.
NAME_LENGTH_MAX = 64
LENGTHS_APART_MAX = 4
# A name that is the beginning of one other is taken for it, however much is missing.
BEGINNING_LENGTH_MIN = 3
CANDIDATES_MAX = 2_000
SHOWN_CHARACTERS_MAX = 60


@dataclass(frozen=True, slots=True)
class RuleFault(Fault):
    """One place in a rule document that is wrong; ``pointer`` is a JSON Pointer (RFC 6901) into the document."""

    expected: str
    found: str
    suggestion: str | None = None


@dataclass(frozen=True, slots=True)
class DecisionFault(Fault):
    """Why a record has no answer: ``inputs`` are all that the failing part reads, ``pointer`` is the first of them.

    ``lookup`` is the code table and the code that it lacks, unless the code is personal; None for other reasons.
    """

    inputs: tuple[str, ...] = ()
    lookup: tuple[str, str] | None = None


class RuleRefused(InvalidInput):
    """The rule document is not a rule of this language; ``faults`` lists every place, not the first only."""

    code = "rule_refused"
    faults: tuple[RuleFault, ...]

    def __init__(self, faults: Sequence[RuleFault]) -> None:
        first = faults[0]
        others = f" ({len(faults) - 1} more)" if len(faults) > 1 else ""
        hint = f"; {first.suggestion}" if first.suggestion else ""
        super().__init__(f"{first.pointer or 'the document'}: {first.message}{hint}{others}", faults=faults)


class InputRefused(InvalidInput):
    """A record does not have the declared inputs; each fault's pointer is the input's name."""

    code = "input_refused"

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(_summary("inputs are wrong", faults), faults=faults)


class DecisionRefused(Unprocessable):
    """An expression has no value for this record; each fault's pointer is the input it came from, else the output.

    A pointer may lead into an input: ``lines/3/qty``.
    """

    code = "decision_refused"
    faults: tuple[DecisionFault, ...]

    def __init__(self, faults: Sequence[DecisionFault]) -> None:
        super().__init__(_summary("the rule has no answer for this record", faults), faults=faults)

    @property
    def fixable(self) -> bool:
        """Whether the same record gets an answer once code tables have what they lack: it is held, not wrong."""
        return bool(self.faults) and all(fault.code == UNMAPPED for fault in self.faults)


class Refusal(Exception):
    """Raised by an operator that has no value for its arguments; the room turns it into a ``Fault``."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


#: What compiled code may raise for a record that has no answer.
FAILURES = (Refusal, KeyError, ArithmeticError)


class Report:
    """Collects the faults of one rule document, up to ``FAULTS_MAX``."""

    def __init__(self, *, suggestions: int = SUGGESTIONS_MAX) -> None:
        self.faults: list[RuleFault] = []
        # Looking for the nearest name costs much more than noting a fault.
        self._suggestions_left = suggestions

    def add(
        self,
        pointer: str,
        code: str,
        message: str,
        *,
        expected: str,
        found: str,
        suggestion: str | None = None,
        misspelt: tuple[object, Iterable[str]] | None = None,
    ) -> None:
        """Note one fault and go on. ``misspelt``: a name and the known ones, of which the nearest is suggested."""
        if len(self.faults) >= FAULTS_MAX:
            return
        if misspelt is not None and self._suggestions_left > 0:
            self._suggestions_left -= 1
            suggestion = nearest(*misspelt) or suggestion
        fault = RuleFault(pointer, code, message, expected, found, suggestion)
        if fault not in self.faults:
            self.faults.append(fault)

    def unknown(self, pointer: str, what: str, name: str, known: Iterable[str], suggestion: str | None = None) -> None:
        """Note that ``name`` is no ``what``, with ``suggestion``, else the nearest of ``known``."""
        known = list(known)
        self.add(
            pointer,
            f"unknown_{what.replace(' ', '_')}",
            f"unknown {what} `{clip(name)}`",
            expected=f"a known {what}" + (f": {clip(', '.join(known), 200)}" if known else ""),
            found=clip(name),
            suggestion=suggestion,
            misspelt=(name, known) if suggestion is None else None,
        )

    def relocate(self, inside: str, outside: str) -> None:
        """Move the faults under the pointer ``inside`` to ``outside``, for a document that was wrapped in another."""
        self.faults = [
            replace(fault, pointer=outside + fault.pointer.removeprefix(inside))
            if fault.pointer.startswith(inside)
            else fault
            for fault in self.faults
        ]

    def refuse_if_any(self) -> None:
        """Raise ``RuleRefused`` when a fault was noted."""
        if self.faults:
            raise RuleRefused(self.faults)


def at(pointer: str, *keys: str | int) -> str:
    """Extend a JSON Pointer."""
    return pointer + "".join("/" + str(key).replace("~", "~0").replace("/", "~1") for key in keys)


def clip(text: str, characters_max: int = SHOWN_CHARACTERS_MAX) -> str:
    """Shorten ``text`` for a message."""
    return text if len(text) <= characters_max else text[: characters_max - 1] + "…"


def shown(value: object) -> str:
    """A JSON-like value as it appears in a fault: short, whatever its size."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return f'"{clip(value)}"'
    if isinstance(value, dict):
        return "an object with " + clip(", ".join(str(key) for key in list(value)[:5])) if value else "an empty object"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    if isinstance(value, int) and value.bit_length() > 200:
        return "a huge integer"
    return clip(str(value))


def _summary(otherwise: str, faults: Sequence[Fault]) -> str:
    if not faults:
        return otherwise
    others = f" ({len(faults) - 1} more)" if len(faults) > 1 else ""
    return f"{faults[0].pointer}: {faults[0].message}{others}"


def nearest(name: object, known: Iterable[str]) -> str | None:
    """``did you mean …?`` for a misspelt name, or None."""
    if not isinstance(name, str) or len(name) > NAME_LENGTH_MAX:
        return None
    known = list(known)
    from difflib import get_close_matches

    begun = [one for one in known if one.startswith(name)] if len(name) >= BEGINNING_LENGTH_MIN else []
    if len(begun) == 1:
        return f"did you mean `{begun[0]}`?"
    alike = (one for one in known if abs(len(one) - len(name)) <= LENGTHS_APART_MAX)
    matches = get_close_matches(name, list(islice(alike, CANDIDATES_MAX)), n=1, cutoff=0.6)
    return f"did you mean `{matches[0]}`?" if matches else None
