"""What an environment has of one ruleset or code table, for who is about to change it and must say against what."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.engine import Connection

from chalicelib.records import dataclass
from chalicelib.rules import catalogue
from chalicelib.rules.catalogue import History
from chalicelib.rules.code_tables import ALWAYS, Checked, Entry
from chalicelib.rules.models import code_table, code_table_entry

#: Sentences about one document; the rest is counted.
_SENTENCES_MAX = 40


@dataclass(frozen=True, slots=True)
class TableSnapshot:
    """The content of a code table now."""

    content_hash: bytes
    entries: frozenset[Entry]
    value_declaration: str | None


@dataclass(frozen=True, slots=True)
class RulesetSnapshot:
    """How many versions a ruleset has, what decides from which day, and when that was changed last."""

    latest_number: int
    decides: tuple[tuple[date, int], ...]
    changed_at: datetime | None

    @property
    def decides_last(self) -> int | None:
        """The number of the version that decides every day after the last change of hands."""
        return self.decides[-1][1] if self.decides else None


def of_table(db: Connection, code: str) -> TableSnapshot | None:
    """A code table, locked: nobody changes it before this transaction ends. None where there is none."""
    row = db.execute(select(code_table).where(code_table.c.code == code).with_for_update()).first()
    if row is None:
        return None
    current = select(code_table_entry).where(
        code_table_entry.c.table_id == row.id, code_table_entry.c.superseded_at.is_(None)
    )
    return TableSnapshot(
        row.content_hash,
        frozenset(
            Entry(each.entry_code, each.effective_from, each.effective_to, each.value, each.description)
            for each in db.execute(current)
        ),
        row.value_declaration,
    )


def of_ruleset(db: Connection, code: str) -> RulesetSnapshot:
    """A ruleset. Whoever wants it to stay so holds its row locked, as saving and activating do."""
    return of_history(catalogue.history(db, code))


def of_history(history: History) -> RulesetSnapshot:
    """What a ruleset's history comes to."""
    return RulesetSnapshot(
        max((each.number for each in history.versions), default=0),
        history.decides,
        max((each.activated_at for each in history.activations), default=None),
    )


def told(before: TableSnapshot | None, after: Checked) -> list[str]:
    """What becomes of a table, a sentence each: what its values may be, entries that come, go, and change."""
    known = {} if before is None else {(each.code, each.effective_from): each for each in before.entries}
    kept = after.begins and before is not None
    wanted = known if kept else {(each.code, each.effective_from): each for each in after.entries}
    sentences = []
    declared = None if before is None else before.value_declaration
    if declared != after.values.stored:
        sentences.append(f"values: {declared or 'any text'} -> {after.values.stored or 'any text'}")
    for key in sorted({*known, *wanted}):
        old, new = known.get(key), wanted.get(key)
        if old == new:
            continue
        if old is None and new is not None:
            sentences.append(f"new: {_said(new)}")
        elif new is None and old is not None:
            sentences.append(f"gone: {_said(old)}")
        elif old is not None and new is not None:
            sentences.append(f"{_named(new)}: {_difference(old, new)}")
    return cut(sentences, "entries")


def cut(sentences: Sequence[str], of_what: str) -> list[str]:
    """The first sentences, and how many there are more."""
    more = len(sentences) - _SENTENCES_MAX
    return [*sentences[:_SENTENCES_MAX], *([f"and {more} {of_what} more"] if more > 0 else [])]


def _difference(old: Entry, new: Entry) -> str:
    parts: list[tuple[str, Any, Any]] = [
        ("", old.value, new.value),
        ("until ", old.effective_to, new.effective_to),
        ("description ", old.description, new.description),
    ]
    return ", ".join(
        f"{word}{_or_nothing(was)} -> {_or_nothing(becomes)}" for word, was, becomes in parts if was != becomes
    )


def _said(entry: Entry) -> str:
    until = "" if entry.effective_to is None else f" until {entry.effective_to}"
    return f"{_named(entry)} = {entry.value}{until}"


def _named(entry: Entry) -> str:
    return entry.code if entry.effective_from == ALWAYS else f"{entry.code} from {entry.effective_from}"


def _or_nothing(value: object) -> str:
    return "nothing" if value is None else str(value)
