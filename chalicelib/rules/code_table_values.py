"""What the values of one code table may be, where its document declares that; without it any text is a value."""

from collections.abc import Mapping
from typing import Any, Final, Self

from chalicelib.errors import Unprocessable
from chalicelib.language import parse_json
from chalicelib.language.declarations import declared_input
from chalicelib.language.faults import Refusal, Report, shown
from chalicelib.language.reading import Reader, reader
from chalicelib.rules import canonical

#: What a value that is written as text may be read as.
TYPES: Final = ("decimal", "integer", "enum", "date")
_KEYS: Final = ("type", "scale", "values", "min", "max", "description")
_POINTER: Final = "/value"


class BadValue(Unprocessable):
    """The value is not what the table declares."""

    code = "bad_value"


class Values:
    """A table's declaration, ``{"type": "decimal", "scale": 4, "min": "0.5", "max": "2"}``, ready to be asked.

    ``stored`` is its canonical JSON, None where the table declares nothing.
    """

    def __init__(self, stored: str | None = None) -> None:
        """Take what ``declared`` found to be right."""
        self.stored = stored
        self._read: Reader | None = None
        if stored is not None:
            found = declared_input(parse_json(stored), _POINTER, Report())
            self._read = None if found is None else reader(found)

    @classmethod
    def declared(cls, document: Mapping[str, Any], report: Report) -> Self:
        """The declaration of a code table document; what is wrong with it is reported."""
        written = document.get("value")
        if written is None:
            return cls()
        faults = len(report.faults)
        if isinstance(written, Mapping):
            for name in written:
                if name not in _KEYS:
                    report.unknown(f"{_POINTER}/{name}", "key", name, _KEYS)
            if isinstance(written.get("type"), str) and written["type"] not in TYPES:
                report.unknown(f"{_POINTER}/type", "type", written["type"], TYPES)
        if len(report.faults) == faults:
            declared_input(written, _POINTER, report)
        return cls(canonical.text(written) if len(report.faults) == faults else None)

    @property
    def document(self) -> dict[str, Any] | None:
        """The declaration as it was written."""
        return None if self.stored is None else parse_json(self.stored)

    def fault(self, value: str) -> str | None:
        """What the value should be instead; None when it may stand."""
        if self._read is None:
            return None
        try:
            self._read(value)
        except Refusal as refusal:
            return refusal.message
        return None

    def require(self, value: str) -> None:
        """Raise BadValue unless the value is what the table declares."""
        expected = self.fault(value)
        if expected is not None:
            raise BadValue(f"The table declares its values: {expected}, found {shown(value)}.")
