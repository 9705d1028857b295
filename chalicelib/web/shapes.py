"""The base shapes of what crosses the edge: bodies, queries and views.

Their validators are built when they are first used (``defer_build``): a Lambda environment starts with all of the
endpoints and serves a few of them.
"""

import re
from datetime import UTC, date, datetime
from typing import Annotated, Any, Final

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import PydanticCustomError, core_schema

from chalicelib.records import dataclass
from chalicelib.web.wording import DAY, MOMENT

_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_MOMENT: Final = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?(?:Z|[+-]\d{2}:\d{2})", re.ASCII)
PUBLIC_ID_PATTERN: Final = r"^[a-z]{3}_[0-9a-hjkmnp-tv-z]{26}$"

#: An identifier in an answer. Bodies and paths take plain text, which ``storage.ids.raw_id`` reads.
PublicId = Annotated[
    str, Field(json_schema_extra={"pattern": PUBLIC_ID_PATTERN, "examples": ["abc_01m80ezmgbefm8btvg41ypyz86"]})
]


@dataclass(frozen=True, slots=True)
class Written:
    """Metadata of a text field that has a form: its regular expression, and the form in a sentence for people."""

    pattern: str
    sentence: str

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        """The text's own checks, then the form's."""
        form = re.compile(self.pattern)

        def check(text: str) -> str:
            if not form.fullmatch(text):
                raise PydanticCustomError("string_pattern_mismatch", "{sentence}", {"sentence": self.sentence})
            return text

        return core_schema.no_info_after_validator_function(check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """The text with its pattern."""
        return {**handler(schema), "pattern": f"^(?:{self.pattern})$"}


def _day(value: object) -> Any:  # noqa: ANN401 - a date, or what is none
    if isinstance(value, str) and _DAY.fullmatch(value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise PydanticCustomError("day_unknown", "There is no such day in the calendar.") from None
    raise PydanticCustomError("day_malformed", DAY)


def _moment(value: object) -> Any:  # noqa: ANN401 - a datetime, or what is none
    if isinstance(value, str) and _MOMENT.fullmatch(value):
        try:
            return datetime.fromisoformat(value).astimezone(UTC)
        except (ValueError, OverflowError):
            raise PydanticCustomError("moment_unknown", "There is no such moment.") from None
    raise PydanticCustomError("moment_malformed", MOMENT)


#: A day in a request. Plain dates would also be read from numbers of seconds since 1970.
Day = Annotated[
    date, BeforeValidator(_day), WithJsonSchema({"type": "string", "format": "date", "examples": ["2026-11-20"]})
]
#: A moment in a request, with its offset; kept in UTC.
Moment = Annotated[
    datetime,
    BeforeValidator(_moment),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-11-20T12:00:00Z"]}),
]


class Body(BaseModel):
    """What a request carries. Types are strict and unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class Query(BaseModel):
    """The parameters after the ``?``. Unknown ones are refused: a misspelt filter must not widen the answer."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class View(BaseModel):
    """What an answer shows."""

    model_config = ConfigDict(frozen=True, defer_build=True)
