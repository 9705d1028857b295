"""What every rule document says about itself: its id, kind, owner, reason and the period it is meant for."""

import re
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from chalicelib.errors import InvalidInput
from chalicelib.language.bounds import examine as examine_bounds
from chalicelib.language.faults import Report, at, clip, shown
from chalicelib.language.reading import DATE_TEXT
from chalicelib.records import dataclass

CODE_LENGTH_MAX = 100
OWNER_LENGTH_MAX = 100
WHY_LENGTH_MAX = 2000
CODE = re.compile(r"[a-z0-9][a-z0-9_-]*(\.[a-z0-9][a-z0-9_-]*)*")


@dataclass(frozen=True, slots=True)
class Envelope:
    """What every rule document says about itself. ``partner`` is the code of its owner; None when it is shared."""

    code: str
    kind: str
    owner: str
    partner: str | None
    effective_from: date | None
    effective_to: date | None

    def require_owner(self, partner_id: bytes | None) -> None:
        """Refuse a partner's document under no partner and a shared one under a partner. Raises InvalidInput."""
        if (self.partner is None) != (partner_id is None):
            raise InvalidInput(f"{self.code}: the owner here is not the document's `partner`, {self.partner!r}.")


def envelope(document: Mapping[str, Any], *, kinds: Sequence[str]) -> Envelope:
    """What the document says about itself. Raises RuleRefused; says nothing about the rule inside."""
    report = Report()
    examine_bounds(document, "", report)
    report.refuse_if_any()
    code = text(document, "id", report, length_max=CODE_LENGTH_MAX)
    kind = text(document, "kind", report)
    if kind and kind not in kinds:
        report.unknown("/kind", "kind", kind, kinds)
    owner = text(document, "owner", report, length_max=OWNER_LENGTH_MAX)
    text(document, "why", report)
    if code and not CODE.fullmatch(code):
        expected = "lower-case letters, digits, - and _, in parts joined by dots"
        report.add("/id", "bad_id", f"an id is {expected}", expected=expected, found=code)
    partner = document.get("partner")
    if partner is not None:
        partner = text(document, "partner", report)
        if partner and code and not code.startswith(f"{partner}."):
            report.add(
                "/id",
                "id_of_other_owner",
                "the id of a partner's own document begins with the partner's code and a dot",
                expected=f"{partner}.…",
                found=code,
            )
    first, last = _effective(document, report)
    report.refuse_if_any()
    return Envelope(code, kind, owner, partner, first, last)


def text(document: Mapping[str, Any], name: str, report: Report, *, length_max: int = WHY_LENGTH_MAX) -> str:
    """The text under a key of the document; its absence is reported, and gives an empty text."""
    value = document.get(name)
    if isinstance(value, str) and 0 < len(value.strip()) <= len(value) <= length_max:
        return value
    wrong_text(document, name, f"/{name}", "bad_envelope", length_max, report)
    return ""


def wrong_text(written: Mapping[str, Any], name: str, pointer: str, code: str, length_max: int, report: Report) -> None:
    """Report what is wrong with a key that holds no text of 1 to ``length_max`` characters."""
    value = written.get(name)
    expected, found = f"text of 1 to {length_max} characters", shown(value)
    if value is None:
        message, found = f"`{name}` is needed", "null" if name in written else "nothing"
    elif not isinstance(value, str):
        message = f"`{name}` is not text"
        if isinstance(value, int | Decimal) and not isinstance(value, bool):
            report.add(pointer, code, message, expected=expected, found=found, suggestion=f'write "{clip(str(value))}"')
            return
    elif len(value) > length_max:
        message, found = f"`{name}` is too long", f"{len(value):,} characters"
    else:
        message = f"`{name}` is empty"
    report.add(pointer, code, message, expected=expected, found=found)


def _effective(document: Mapping[str, Any], report: Report) -> tuple[date | None, date | None]:
    period = document.get("effective")
    if period is None:
        return None, None
    if not isinstance(period, Mapping):
        report.add("/effective", "bad_period", "a period is an object", expected='{"from": …}', found=shown(period))
        return None, None
    for name in period:
        if name not in {"from", "to"}:
            report.unknown(at("/effective", name), "field", name, ("from", "to"))
    first = day(period.get("from"), "/effective/from", report)
    last = day(period.get("to"), "/effective/to", report)
    if first and last and last < first:
        report.add(
            "/effective/to", "bad_period", "the end is before the start", expected=f">= {first}", found=str(last)
        )
    return first, last


def day(value: object, pointer: str, report: Report) -> date | None:
    """The date of an ISO 8601 text; None for null, and for what is no date, which is reported."""
    if value is None:
        return None
    try:
        # 20261001 and 2026-W40-4 are ISO dates as well, but not what is asked for here.
        return date.fromisoformat(value) if isinstance(value, str) and DATE_TEXT.fullmatch(value) else _no_date(value)
    except ValueError:
        report.add(pointer, "bad_date", "this is no date", expected="YYYY-MM-DD or null", found=shown(value))
        return None


def _no_date(value: object) -> date:
    raise ValueError(f"{value!r} is no date.")
