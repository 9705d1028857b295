"""What pydantic finds wrong, told to whoever must mend it: one sentence a place, which never repeats what was sent."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from chalicelib.errors import Fault

DAY: Final = "Write a day as YYYY-MM-DD, such as 2026-11-20."
MOMENT: Final = "Write a moment with its offset from UTC, such as 2026-11-20T12:00:00Z."
_ESCAPES: Final = str.maketrans({"~": "~0", "/": "~1"})
_OBJECT: Final = "Send an object: names and values in braces."
_LIST: Final = "Send a list: values in square brackets."
_BOOLEAN: Final = "Send true or false."
_NUMBER: Final = "Send a number."
_WHOLE: Final = "Send a whole number, such as 20."

#: By pydantic's type of error; the names in braces are those of its context. Types that none of our shapes can meet
#: keep pydantic's own words (a contract test looks for such).
_SENTENCES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "missing": "It is required and was left out.",
        "extra_forbidden": "There is no field of this name here: leave it out, or mend its spelling.",
        "invalid_key": "Names are text.",
        "string_type": "Send a text, in quotes.",
        "string_too_short": "It has at least {min_length} characters.",
        "string_too_long": "It has at most {max_length} characters.",
        "string_unicode": "It is no valid Unicode text.",
        "int_type": "Send a whole number, without quotes.",
        "int_parsing": _WHOLE,
        "int_parsing_size": "The number is too large.",
        "int_from_float": _WHOLE,
        "float_type": _NUMBER,
        "float_parsing": _NUMBER,
        "decimal_type": _NUMBER,
        "decimal_parsing": _NUMBER,
        "greater_than_equal": "It is at least {ge}.",
        "less_than_equal": "It is at most {le}.",
        "bool_type": _BOOLEAN,
        "bool_parsing": _BOOLEAN,
        "list_type": _LIST,
        "frozen_set_type": _LIST,
        "too_short": "The list has {actual_length} entries, and at least {min_length} are needed.",
        "too_long": "The list has more than {max_length} entries: send the others by themselves.",
        "dict_type": _OBJECT,
        "model_type": _OBJECT,
        "model_attributes_type": _OBJECT,
        "literal_error": "It is one of {expected}.",
        "enum": "It is one of {expected}.",
        "none_required": "Send null.",
    }
)


def sentence(found: ErrorDetails) -> str:
    """What to do about one fault. Our own validators' sentences stay as they are."""
    if found["type"] == "value_error":
        return str(found["ctx"]["error"])
    template = _SENTENCES.get(found["type"])
    if template is None:
        return found["msg"]
    context = {name: str(value).replace("'", "`") for name, value in found.get("ctx", {}).items()}
    if context.get("min_length") == "1":
        template = "It must not be empty."
    return template.format(**context)


def faults(error: ValidationError, given: object, names: Sequence[str] = ()) -> list[Fault]:
    """Every fault with its JSON Pointer into ``given``, the document that was refused; each place and type once.

    ``names``: the fields that the document as a whole may have, told to whoever sent another one.
    """
    found: dict[tuple[str, str], Fault] = {}
    for wrong in error.errors(include_url=False, include_input=False):
        place = _pointer(wrong["loc"], given, missing=wrong["type"] == "missing")
        told = sentence(wrong)
        if names and wrong["type"] == "extra_forbidden" and len(wrong["loc"]) == 1:
            told = f"There is no field of this name here; there are {', '.join(names)}."
        found.setdefault((place, wrong["type"]), Fault(place, wrong["type"], told))
    return list(found.values())


def pointer(place: Sequence[int | str]) -> str:
    """A JSON Pointer (RFC 6901)."""
    return "".join(f"/{str(part).translate(_ESCAPES)}" for part in place)


def _pointer(place: Sequence[int | str], given: object, *, missing: bool) -> str:
    """Where the fault is, without the names of alternatives that pydantic puts between the document's own."""
    path: list[int | str] = []
    value: Any = given
    for number, part in enumerate(place, 1):
        if part in (value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()):
            value = value[part]
        elif not (missing and number == len(place)):
            continue
        path.append(part)
    return pointer(path)
