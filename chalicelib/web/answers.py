"""What a handler may return besides a view, and how it becomes text."""

from typing import Any, Generic, TypeVar

from pydantic import BaseModel, TypeAdapter

from chalicelib.records import dataclass

ViewT = TypeVar("ViewT")

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Answer(Generic[ViewT]):
    """A view under a status of the handler's choice: 200 for a duplicate, 201 for what was created."""

    status: int
    view: ViewT


@dataclass(frozen=True, slots=True)
class Attachment:
    """Text that is not JSON, offered as a file."""

    text: str
    media_type: str
    file_name: str


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes over the wire."""

    status: int
    body: str
    media_type: str = JSON
    file_name: str | None = None


_ANY: TypeAdapter[Any] = TypeAdapter(Any)


def reply(result: object, status: int) -> Reply:
    """A handler's result on the wire; ``status`` is the declared one."""
    if isinstance(result, Answer):
        status, result = result.status, result.view
    if result is None:
        return Reply(status, "")
    if isinstance(result, Attachment):
        return Reply(status, result.text, result.media_type, result.file_name)
    if isinstance(result, BaseModel):
        return Reply(status, result.__pydantic_serializer__.to_json(result, by_alias=True).decode())
    return Reply(status, _ANY.dump_json(result, by_alias=True).decode())
