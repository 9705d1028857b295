"""Patterns: a small language of regular expressions, each of which matches in time linear in the text.

A pattern becomes the position automaton of Glushkov: one bit for each place where it reads a character. A set of places
is an integer, a step is a look-up and a conjunction, and nothing is tried twice, whatever the pattern. The automaton is
held to Python's ``re`` by a property test; docs/decisions/0021-linear-patterns.md says why it exists.
"""

import re
from collections.abc import Callable, Iterator
from typing import NoReturn

from chalicelib.language.faults import clip
from chalicelib.records import dataclass

PATTERN_LENGTH_MAX = 256
# Places where a pattern reads a character, repetitions written out.
POSITIONS_MAX = 300
GROUPS_NESTED_MAX = 16
REPEATS_MAX = 255
# What an automaton remembers of its steps before it starts afresh.
STEPS_KEPT_MAX = 2_048

_COUNT = re.compile(r"\{([0-9]{1,3})(?:(,)([0-9]{1,3})?)?\}")
_CLASSES = {"d": [("0", "9")], "w": [("0", "9"), ("A", "Z"), ("_", "_"), ("a", "z")], "s": [("\t", "\r"), (" ", " ")]}
_ESCAPES = {"t": "\t", "n": "\n", "r": "\r"}
_SUGGESTIONS = {
    "b": "write out what may stand next to it",
    "B": "write out what may stand next to it",
    "A": "the whole text is matched: leave it out",
    "Z": "the whole text is matched: leave it out",
    "z": "the whole text is matched: leave it out",
}


class BadPattern(Exception):
    """The pattern cannot be used; ``suggestion`` says what to write instead, or is None."""

    def __init__(self, message: str, suggestion: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.suggestion = suggestion


@dataclass(frozen=True, slots=True)
class _Set:
    """One character out of ``ranges``, or one that is in none of them."""

    ranges: tuple[tuple[str, str], ...]
    negated: bool = False

    @property
    def is_character(self) -> bool:
        return not self.negated and len(self.ranges) == 1 and self.ranges[0][0] == self.ranges[0][1]

    def contains(self, character: str) -> bool:
        return any(low <= character <= high for low, high in self.ranges) is not self.negated


@dataclass(frozen=True, slots=True)
class _Sequence:
    parts: tuple["_Part", ...]


@dataclass(frozen=True, slots=True)
class _Choice:
    parts: tuple["_Part", ...]


@dataclass(frozen=True, slots=True)
class _Repeat:
    """``part`` at least ``low`` and at most ``high`` times; None is without end."""

    part: "_Part"
    low: int
    high: int | None


_Part = _Set | _Sequence | _Choice | _Repeat
_ANY = _Set((("\n", "\n"),), negated=True)


class _Reader:
    """Reads one pattern, from the left."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.place = 0
        self.depth = 0

    def whole(self) -> _Part:
        # The whole text is matched, so anchors at the ends say nothing new.
        if self.pattern.startswith("^"):
            self.place = 1
        found = self.choice()
        if self.place < len(self.pattern):
            self.wrong("a closing parenthesis without an opening one")
        return found

    def peek(self) -> str:
        return self.pattern[self.place : self.place + 1]

    def take(self) -> str:
        character = self.peek()
        if not character:
            self.wrong("the pattern ends too early")
        self.place += 1
        return character

    def wrong(self, message: str, suggestion: str | None = None) -> NoReturn:
        raise BadPattern(f"{message}, at character {self.place + 1} of `{clip(self.pattern)}`", suggestion)

    def choice(self) -> _Part:
        parts = [self.sequence()]
        while self.peek() == "|":
            self.place += 1
            parts.append(self.sequence())
        return parts[0] if len(parts) == 1 else _Choice(tuple(parts))

    def sequence(self) -> _Part:
        parts: list[_Part] = []
        while self.peek() and self.peek() not in "|)":
            if self.peek() == "$" and self.place == len(self.pattern) - 1:
                self.place += 1
                break
            parts.append(self.repeated())
        return parts[0] if len(parts) == 1 else _Sequence(tuple(parts))

    def repeated(self) -> _Part:
        part = self.atom()
        counts = self.counts()
        if counts is None:
            return part
        if self.peek() and self.peek() in "*+?{":
            self.wrong("a repetition of a repetition", "put the inner one in parentheses; greed has no meaning here")
        return _Repeat(part, *counts)

    def counts(self) -> tuple[int, int | None] | None:
        simple: dict[str, tuple[int, int | None]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}
        if self.peek() in simple:
            return simple[self.take()]
        if self.peek() != "{":
            return None
        found = _COUNT.match(self.pattern, self.place)
        if found is None:
            self.wrong("a brace that is no repetition like {2}, {2,} or {2,5}", "write \\{ for the character itself")
        low = int(found[1])
        high = low if found[2] is None else None if found[3] is None else int(found[3])
        if low > REPEATS_MAX or (high is not None and (high > REPEATS_MAX or high < low)):
            self.wrong(f"a repetition that is not 0 to {REPEATS_MAX} times")
        self.place = found.end()
        return low, high

    def atom(self) -> _Part:
        character = self.take()
        match character:
            case "(":
                return self.group()
            case "[":
                return self.set()
            case ".":
                return _ANY
            case "\\":
                return self.escape()
            case "*" | "+" | "?" | "{":
                self.place -= 1
                self.wrong("a repetition of nothing", f"write \\{character} for the character itself")
            case "^" | "$":
                self.place -= 1
                self.wrong("an anchor inside the pattern", f"write \\{character} for the character itself")
        return _Set(((character, character),))

    def group(self) -> _Part:
        if self.peek() == "?":
            if not self.pattern.startswith("?:", self.place):
                self.wrong(
                    "a group of an unknown kind", "only (…) and (?:…) are known: no look-around, names or options"
                )
            self.place += 2
        self.depth += 1
        if self.depth > GROUPS_NESTED_MAX:
            self.wrong(f"groups more than {GROUPS_NESTED_MAX} deep")
        found = self.choice()
        self.depth -= 1
        if self.peek() != ")":
            self.wrong("a parenthesis is not closed")
        self.place += 1
        return found

    def escape(self) -> _Set:
        character = self.take()
        if character.lower() in _CLASSES:
            return _Set(tuple(_CLASSES[character.lower()]), negated=character.isupper())
        if character in _ESCAPES:
            return _Set(((_ESCAPES[character], _ESCAPES[character]),))
        if character.isalnum():
            self.place -= 1
            suggestion = "a pattern cannot refer to its groups" if character.isdigit() else _SUGGESTIONS.get(character)
            self.wrong(f"an unknown escape \\{character}", suggestion)
        return _Set(((character, character),))

    def set(self) -> _Set:
        negated = self.peek() == "^"
        self.place += negated
        ranges: list[tuple[str, str]] = []
        while (character := self.take()) != "]" or not ranges:
            if character == "]":
                self.wrong("an empty set", "write \\] for the character itself")
            if character == "[":
                self.place -= 1
                self.wrong("a bracket inside a set", "write \\[ for the character itself")
            low = self.member(character)
            if self.peek() == "-" and self.pattern[self.place + 1 : self.place + 2] not in {"", "]"}:
                self.place += 1
                high = self.member(self.take())
                if not low.is_character or not high.is_character or low.ranges > high.ranges:
                    self.wrong("a range of characters that is none")
                ranges.append((low.ranges[0][0], high.ranges[0][1]))
            elif low.negated:
                self.wrong("a negated class inside a set", "begin the set with ^ instead")
            else:
                ranges.extend(low.ranges)
        return _Set(tuple(ranges), negated)

    def member(self, character: str) -> _Set:
        return self.escape() if character == "\\" else _Set(((character, character),))


def _positions(part: _Part) -> int:
    """How many places ``part`` has once its repetitions are written out."""
    match part:
        case _Sequence(parts=parts) | _Choice(parts=parts):
            return sum(map(_positions, parts))
        case _Repeat(part=inner, low=low, high=high):
            return _positions(inner) * max(low if high is None else high, 1)
    return 1


@dataclass(frozen=True, slots=True)
class _Fragment:
    """A part as sets of places: where it may begin and end; and whether the empty text is in it."""

    first: int
    last: int
    empty: bool


_EMPTY = _Fragment(0, 0, empty=True)


class _Builder:
    """Places by number, and which may follow each. Place 0 is before the text."""

    def __init__(self) -> None:
        self.sets: list[_Set] = [_Set(())]
        self.follow: list[int] = [0]

    def fragment(self, part: _Part) -> _Fragment:
        match part:
            case _Sequence(parts=parts):
                return self.joined(map(self.fragment, parts))
            case _Choice(parts=parts):
                each = [self.fragment(one) for one in parts]
                first = last = 0
                for one in each:
                    first, last = first | one.first, last | one.last
                return _Fragment(first, last, empty=any(one.empty for one in each))
            case _Repeat(part=inner, low=low, high=high):
                return self.joined(self.copies(inner, low, high))
        place = 1 << len(self.sets)
        self.sets.append(part)
        self.follow.append(0)
        return _Fragment(place, place, empty=False)

    def copies(self, part: _Part, low: int, high: int | None) -> Iterator[_Fragment]:
        count = max(low, 1) if high is None else high
        for number in range(1, count + 1):
            copy = self.fragment(part)
            if high is None and number == count:
                self.link(copy.last, copy.first)
            yield copy if number <= low else _Fragment(copy.first, copy.last, empty=True)

    def joined(self, parts: Iterator[_Fragment]) -> _Fragment:
        whole = _EMPTY
        for part in parts:
            self.link(whole.last, part.first)
            whole = _Fragment(
                whole.first | (part.first if whole.empty else 0),
                part.last | (whole.last if part.empty else 0),
                empty=whole.empty and part.empty,
            )
        return whole

    def link(self, places: int, followers: int) -> None:
        for place in _bits(places):
            self.follow[place] |= followers


def _bits(places: int) -> Iterator[int]:
    while places:
        low = places & -places
        yield low.bit_length() - 1
        places ^= low


class _Steps(dict[int, int]):
    """A set of places -> the places that may follow any of them."""

    __slots__ = ("_follow",)

    def __init__(self, follow: list[int]) -> None:
        super().__init__()
        self._follow = follow

    def __missing__(self, places: int) -> int:
        found = 0
        for place in _bits(places):
            found |= self._follow[place]
        if len(self) >= STEPS_KEPT_MAX:
            self.clear()
        self[places] = found
        return found


class _Readers(dict[str, int]):
    """A character -> the places that read it."""

    __slots__ = ("_sets",)

    def __init__(self, sets: list[_Set]) -> None:
        super().__init__()
        self._sets = sets

    def __missing__(self, character: str) -> int:
        found = 0
        for place, one in enumerate(self._sets):
            if one.contains(character):
                found |= 1 << place
        if len(self) >= STEPS_KEPT_MAX:
            self.clear()
        self[character] = found
        return found


@dataclass(frozen=True, slots=True)
class Pattern:
    """``matches``: whether a whole text is in the pattern. ``positions``: what a character costs at most."""

    matches: Callable[[str], bool]
    positions: int


def compiled(pattern: str) -> Pattern:
    """The automaton of ``pattern``. Raises ``BadPattern``."""
    if len(pattern) > PATTERN_LENGTH_MAX:
        raise BadPattern(f"a pattern has at most {PATTERN_LENGTH_MAX} characters")
    part = _Reader(pattern).whole()
    positions = _positions(part)
    if positions > POSITIONS_MAX:
        raise BadPattern(
            f"the pattern reads {positions} characters when its repetitions are written out, {POSITIONS_MAX} at most"
        )
    builder = _Builder()
    whole = builder.fragment(part)
    builder.follow[0] = whole.first
    steps, readers = _Steps(builder.follow), _Readers(builder.sets)
    ends = whole.last | whole.empty

    def matches(text: str) -> bool:
        places = 1
        for character in text:
            places = steps[places] & readers[character]
            if not places:
                return False
        return bool(places & ends)

    return Pattern(matches, positions)
