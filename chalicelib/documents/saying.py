"""What one row says of one document, typed and checked, in the form in which it is kept."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any, Final, NamedTuple

from chalicelib.documents.kinds import UNCOUNTED, Form, Key, Kind
from chalicelib.errors import InvalidInput
from chalicelib.language.rounding import plain
from chalicelib.partners.house import currencies, moments
from chalicelib.partners.provenance import Told, refused, unusable
from chalicelib.records import dataclass
from chalicelib.rules import canonical
from chalicelib.storage.encryption import keyed_digest
from chalicelib.web import amounts

_KEY_CHARACTERS_MAX: Final = 100
_TEXT_CHARACTERS_MAX: Final = 200
_LINE_MAX: Final = 1_000_000
_REVISION_MAX: Final = 2**31 - 1
_PIECES_MAX: Final = 1_000_000
_AMOUNT_MAX: Final = Decimal(10) ** 12
#: A document without lines is one line.
_ONLY_LINE: Final = 1


class Place(NamedTuple):
    """Which line of which revision a row is."""

    key: Key
    revision: int
    line_no: int | None


@dataclass(frozen=True, slots=True)
class Said:
    """One row: its place, what it says of the whole document, and its line."""

    key: Key
    revision: int
    line_no: int
    header: Mapping[str, Any]
    personal: Mapping[str, str | None]
    line: Mapping[str, Any]

    @property
    def header_hash(self) -> bytes:
        """What two rows must share to say the same of the whole document."""
        return header_hash(self.header, self.personal)

    @property
    def line_hash(self) -> bytes:
        """What two rows must share to be the same line."""
        return line_hash(self.line)


def header_hash(header: Mapping[str, Any], personal: Mapping[str, str | None]) -> bytes:
    """Keyed, since what is personal is guessed easily."""
    return keyed_digest(canonical.text([dict(header), dict(personal)]).encode())


def line_hash(line: Mapping[str, Any]) -> bytes:
    """The hash of a line without its number."""
    return canonical.digest(canonical.text({name: value for name, value in line.items() if name != "line_no"}))


def place(kind: Kind, row: Mapping[str, Any]) -> Place | Told:
    """Where a row belongs, read apart from everything else that it says, or why that cannot be told."""
    for name in (kind.scope, kind.number):
        wrong = None if name is None else unusable(name, row[name], _KEY_CHARACTERS_MAX)
        if wrong is not None:
            return wrong
    revision = row["revision"] if kind.revised else Decimal(UNCOUNTED)
    if not 0 <= revision <= _REVISION_MAX:
        return refused("quantity_out_of_range", "revision", f"A revision is from 0 to {_REVISION_MAX}.")
    line_no = row["line_no"] if kind.line else Decimal(_ONLY_LINE)
    if not 1 <= line_no <= _LINE_MAX:
        return refused("quantity_out_of_range", "line_no", f"A line number is from 1 to {_LINE_MAX:,}.")
    scope = "" if kind.scope is None else row[kind.scope]
    return Place((scope, row[kind.number]), int(revision), int(line_no))


def said(kind: Kind, row: Mapping[str, Any], where: Place) -> Said | Told:
    """What a row says, or why it cannot be kept."""
    scale = currencies.scale(row["currency"]) if "currency" in kind.header else 2
    kept: dict[str, Any] = {}
    for name, form in (*kind.header.items(), *kind.line.items()):
        value = None if row[name] is None else _kept(form, name, row[name], scale)
        if isinstance(value, Told):
            return value
        kept[name] = value
    for name in kind.personal:
        if row[name] is not None and len(row[name]) > _TEXT_CHARACTERS_MAX:
            return refused("too_long", name, f"{name} has more than {_TEXT_CHARACTERS_MAX} characters.")
    return Said(
        where.key,
        where.revision,
        where.line_no or _ONLY_LINE,
        {name: kept[name] for name in kind.header},
        {name: row[name] for name in kind.personal},
        {name: kept[name] for name in kind.line},
    )


def _kept(form: Form, name: str, value: Any, scale: int) -> str | int | Told:  # noqa: ANN401, PLR0911 - a field of any type; one answer a form
    if isinstance(value, Decimal):
        return _number(form, name, value, scale)
    if isinstance(value, date):
        return value.isoformat()
    if form == "moment":
        moment = moments.parsed(value)
        if moment is None:
            return refused("bad_moment", name, "A moment is written as 2026-11-20T06:00:00Z, with its offset.")
        return moments.written(moment)
    if form == "currency" and not currencies.is_one(value):
        return refused("bad_currency", name, "A currency is three letters, such as USD.")
    if form == "key":
        return unusable(name, value, _KEY_CHARACTERS_MAX) or str(value)
    if len(value) > _TEXT_CHARACTERS_MAX:
        return refused("too_long", name, f"{name} has more than {_TEXT_CHARACTERS_MAX} characters.")
    return str(value)


def _number(form: Form, name: str, value: Decimal, scale: int) -> str | int | Told:
    if form == "pieces":
        if not 1 <= value <= _PIECES_MAX:
            return refused("quantity_out_of_range", name, f"There are from 1 to {_PIECES_MAX:,} pieces.")
        return int(value)
    if not 0 <= value <= _AMOUNT_MAX:
        return refused("amount_out_of_range", name, f"An amount is from 0 to {_AMOUNT_MAX:,}.")
    if form == "number":
        return plain(value)
    try:
        return amounts.text(amounts.minor(value, scale), scale)
    except InvalidInput as error:
        return refused(error.code, name, error.message)
