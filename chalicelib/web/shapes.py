"""The base shapes of what crosses the edge: bodies, queries and views.

Their validators are built when they are first used (``defer_build``): a Lambda environment starts with all of the
endpoints and serves a few of them.
"""

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

PUBLIC_ID_PATTERN: Final = r"^[a-z]{3}_[0-9a-hjkmnp-tv-z]{26}$"

#: An identifier in an answer. Bodies and paths take plain text, which ``storage.ids.raw_id`` reads.
PublicId = Annotated[str, Field(json_schema_extra={"pattern": PUBLIC_ID_PATTERN})]


class Body(BaseModel):
    """What a request carries. Types are strict and unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class Query(BaseModel):
    """The parameters after the ``?``. Unknown ones are refused: a misspelt filter must not widen the answer."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class View(BaseModel):
    """What an answer shows."""

    model_config = ConfigDict(frozen=True, defer_build=True)
