"""A bounded memory of what texts convert to: files repeat their dates and amounts."""

from collections.abc import Callable
from typing import TypeVar

ENTRIES_MAX = 4_096
TEXT_LENGTH_MAX = 64

T = TypeVar("T")


class Memo(dict[str, T]):
    """``memo[text]`` is ``convert(text)``, remembered; when it is full it starts afresh. ``convert`` may refuse."""

    __slots__ = ("_convert",)

    def __init__(self, convert: Callable[[str], T]) -> None:
        super().__init__()
        self._convert = convert

    def __missing__(self, text: str) -> T:
        value = self._convert(text)
        if len(text) <= TEXT_LENGTH_MAX:
            if len(self) >= ENTRIES_MAX:
                self.clear()
            self[text] = value
        return value
