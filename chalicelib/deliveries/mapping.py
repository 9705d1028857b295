"""A snapshot becomes a message's body by the target's mapping ruleset, and what is kept of it is masked."""

import json
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Final

from pydantic import JsonValue

from chalicelib.deliveries.snapshots import Snapshot
from chalicelib.errors import InvalidInput, Unprocessable
from chalicelib.language import CodeTables, Compiled, Value
from chalicelib.records import dataclass
from chalicelib.rules import targets

MASK: Final = "[masked]"
DETAIL_CHARACTERS_MAX: Final = 500
_SCRUBBED_CHARACTERS_MIN: Final = 2
_FROM_THE_TARGET: Final = frozenset({"type", "title", "customerId"})
"""Fields of answers that name kinds of problems and remote ids; everything else in an answer may be about a person."""


@dataclass(frozen=True, slots=True)
class Mapped:
    """A body to send, and the names of its fields that may be kept in clear."""

    body: Mapping[str, JsonValue]
    clear: frozenset[str]

    def masked(self) -> str:
        """The body as it is kept."""
        return _text(_masked(self.body, self.clear))

    def masked_answer(self, answer: Mapping[str, JsonValue] | None) -> str | None:
        """An answer as it is kept: the same fields in clear, and those that are never about a person."""
        return None if answer is None else _text(_masked(answer, self.clear | _FROM_THE_TARGET))

    def scrubbed(self, detail: str) -> str:
        """A sentence of the target without the personal values that were sent to it."""
        for name in self.body.keys() - self.clear:
            for secret in _texts(self.body[name]):
                detail = detail.replace(secret, MASK)
        return detail[:DETAIL_CHARACTERS_MAX]


class Unmappable(Exception):
    """The mapping refuses the record; never leaves the pump. ``detail`` names fields, not values."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail[:DETAIL_CHARACTERS_MAX]


def apply(mapping: Compiled, snapshot: Snapshot, *, as_of: date, code_tables: CodeTables) -> Mapped | None:
    """The body for a record; None when the mapping does not apply to it. Raises Unmappable."""
    try:
        facts = mapping.read({name: snapshot.record.get(name) for name in mapping.inputs})
        outputs = mapping.decide(facts, as_of=as_of, code_tables=code_tables)
    except (InvalidInput, Unprocessable) as refused:
        where = "; ".join(f"{fault.pointer}: {fault.message}" for fault in refused.faults) or refused.message
        raise Unmappable("mapping_refused", where) from refused
    if outputs is None:
        return None
    program_code = str(snapshot.record["program_code"])
    fields = {name: targets.field(name, program_code) for name in outputs}
    clear = frozenset(field for name, field in fields.items() if not _personal(mapping, name))
    return Mapped({fields[name]: _json(value) for name, value in outputs.items()}, clear)


def _personal(mapping: Compiled, output: str) -> bool:
    """Whether an output may tell something about a person: it says so, or it is made of an input that does."""
    declared = mapping.outputs[output]
    return declared.personal or any(mapping.inputs[name].personal for name in declared.columns)


def _json(value: Value) -> JsonValue:
    match value:
        case Decimal():
            return format(value, "f")
        case date():
            return value.isoformat()
        case list():
            return [_json(each) for each in value]
        case dict():
            return {str(name): _json(each) for name, each in value.items()}
        case _:
            return value


def _masked(fields: Mapping[str, JsonValue], clear: frozenset[str]) -> dict[str, JsonValue]:
    return {name: value if name in clear or value is None else MASK for name, value in fields.items()}


def _texts(value: JsonValue) -> list[str]:
    """The texts inside a value, longest first, that are long enough to mean something."""
    match value:
        case str():
            return [value] if len(value) >= _SCRUBBED_CHARACTERS_MIN else []
        case list():
            inside: list[JsonValue] = value
        case dict():
            inside = list(value.values())
        case _:
            return []
    return sorted((text for each in inside for text in _texts(each)), key=len, reverse=True)


def _text(fields: Mapping[str, JsonValue]) -> str:
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
