"""One record of a file -> one canonical row, by the layout's expressions: the hot path of intake."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from operator import itemgetter
from typing import Any

from chalicelib.files.formats import redacting
from chalicelib.files.formats.layouts import Reading
from chalicelib.files.formats.marking import MASK, REASON_COLUMNS, TOKEN, restored
from chalicelib.files.formats.reading import Record
from chalicelib.files.register.refusals import FileRefused, RowRefused
from chalicelib.language import DecisionRefused, Value
from chalicelib.language.declared import Treated
from chalicelib.language.kinds import CodeTables
from chalicelib.rules.code_table_content import CODE_LENGTH_MAX
from chalicelib.rules.code_table_misses import Missed
from chalicelib.rules.code_tables import Unmapped
from chalicelib.rules.entities import ENTITIES
from chalicelib.rules.layouts import Layout, header_key

CanonicalRow = dict[str, Value]

#: What is wrong with the form of a row, for its sender.
_FORM_FAULTS = {
    "malformed_row": "The row is not well formed: a quote inside a cell, or a carriage return without line feed.",
    "nul_byte": "The row contains a NUL byte.",
}
_DELIMITERS = (",", ";", "\t", "|")
_BLANK_ROW = RowRefused("ignored", "blank_row", None, None)
#: An archived row that was erased with its person, met again when a file is read again.
ERASED_ROW = RowRefused("ignored", "erased", None, "The row was erased with the person it was about.")
_NO_MEANING = RowRefused("ignored", "ignored_by_layout", None, None)
_MASKED = RowRefused("ignored", "masked_cell", None, "A cell of the row is hidden: mend it where all cells are shown.")
_NAMES_SHOWN_MAX = 5
#: The most columns of a file, also of those that no layout declares.
COLUMNS_MAX = 1_000


class Header:
    """The header of one file matched with the columns of its layout.

    Raises FileRefused (``wrong_header`` naming what is missing or doubled, ``too_many_columns``). Unknown columns are
    tolerated and listed.
    """

    def __init__(self, cells: Sequence[str], layout: Layout) -> None:
        how = layout.spec.format
        if len(cells) > COLUMNS_MAX:
            message = f"The header has {len(cells)} columns; at most {COLUMNS_MAX} are read."
            raise FileRefused("too_many_columns", message)
        columns = {header_key(header, how): name for name, header in layout.headers.items()}
        keys = [header_key(cell.strip(), how) for cell in cells]
        if TOKEN in keys and TOKEN not in columns:
            # Names that we made harmless are as they were.
            cells = [restored(cell) for cell in cells]
            keys = [header_key(cell.strip(), how) for cell in cells]
        self.cells = list(cells)
        # Named as their sender wrote them first.
        doubled = [cells[keys.index(key)].strip() for key in dict.fromkeys(keys) if key and keys.count(key) > 1]
        if doubled:
            raise FileRefused("wrong_header", f"The header names {_listed(doubled)} more than once.")
        #: Short column name -> its position; absent optional columns are not in it.
        self.positions = {columns[key]: at for at, key in enumerate(keys) if key in columns}
        missing = [
            layout.headers[name]
            for name, column in layout.spec.columns.items()
            if column.required and name not in self.positions
        ]
        if missing:
            raise FileRefused(
                "wrong_header",
                f"The header lacks {_listed(missing)}; it must name the columns of layout {layout.code}."
                f"{_one_cell(self.cells, how.delimiter)}",
            )
        #: Where a file of rejects that came back says which row each of its rows is; None for other files.
        self.token_at = keys.index(TOKEN) if TOKEN in keys and TOKEN not in columns else None
        ours = REASON_COLUMNS if self.token_at is not None else ()
        #: The positions of the sender's own columns.
        self.own = [at for at, key in enumerate(keys) if key not in ours or key in columns]
        self.unknown = [cells[at] for at in self.own if keys[at] not in columns]

    @property
    def is_of_rejects(self) -> bool:
        """Whether this is the header of rejects that we wrote and their sender sent back."""
        return self.token_at is not None


def _one_cell(cells: Sequence[str], delimiter: str) -> str:
    """What helps whoever divides cells by something else than the layout does."""
    if len(cells) != 1 or not any(other in cells[0] for other in _DELIMITERS):
        return ""
    named = "a tab" if delimiter == "\t" else f"`{delimiter}`"
    return f" It was read as one cell: this layout divides cells by {named}."


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:_NAMES_SHOWN_MAX])
    return shown if len(names) <= _NAMES_SHOWN_MAX else f"{shown} and {len(names) - _NAMES_SHOWN_MAX} more"


def translator_of(reading: Reading, header: Header, partner_code: str) -> "Translator":
    """What turns the records of a file with this header into canonical rows."""
    kind = _OfRejects if header.is_of_rejects else Translator
    return kind(reading, header, partner_code)


class Translator:
    """Turns the records of one file into canonical rows."""

    def __init__(self, reading: Reading, header: Header, partner_code: str) -> None:
        layout, spec = reading.layout, reading.layout.spec
        self._layout = layout
        self._version_id = reading.version.version_id
        self._day = reading.day
        tolerated = layout.compiled.tolerated
        self._noting = {
            name: _Noting(entries, name, tolerated[name], reading.day)
            for name, entries in reading.code_tables.items()
            if name in tolerated
        }
        self._plain_tables: CodeTables = reading.code_tables
        self._tables: CodeTables = {**reading.code_tables, **self._noting}
        self._partner_code = partner_code
        self._width = len(header.cells)
        self._trim = spec.format.trim
        # A value of None is appended to every row: absent optional columns are found there.
        names = tuple(spec.columns)
        self._names = names
        self._pick = _getter([header.positions.get(name, self._width) for name in names])
        self._partner_at = header.positions.get(spec.partner_column) if spec.partner_column else None
        self._due = [name for name in names if not spec.columns[name].may_be_empty]
        self._pick_due = _getter([header.positions[name] for name in self._due]) if self._due else None
        fields = ENTITIES[spec.entity]
        #: Fields that the layout does not provide.
        self._absent: CanonicalRow = {name: None for name in fields if name not in spec.fields}
        self._texts = [name for name, field in fields.items() if field.type == "string" and not field.nullable]
        self._pick_texts = itemgetter(*self._texts)
        self._control_at = header.positions.get(spec.control.column) if spec.control.column else None

    def missed(self) -> tuple[Missed, ...]:
        """What the rows since the last call looked up in vain and are told all the same."""
        if not self._noting:
            return ()
        return tuple(each for table in self._noting.values() for each in table.told())

    def control_cell(self, record: Record) -> str | None:
        """The text of the control column; None when the row has no such cell."""
        at = self._control_at
        return record.cells[at] if at is not None and at < len(record.cells) else None

    def row(self, record: Record) -> CanonicalRow | RowRefused:
        """The canonical row, or why there is none."""
        if redacting.FILL in record.raw and redacting.is_erased(record.raw, self._layout.spec.format):
            return ERASED_ROW
        values = self._values(record)
        if isinstance(values, RowRefused):
            return values
        try:
            row = self._layout.compiled.decide(self._facts(values), as_of=self._day, code_tables=self._tables)
        except DecisionRefused as refusal:
            return self._undecided(refusal)
        if row is None:
            return _NO_MEANING
        if "" in self._pick_texts(row):
            return self._empty(next(name for name in self._texts if row[name] == ""))
        return {**row, **self._absent} if self._absent else row

    def employee_id(self, record: Record) -> str | None:
        """Whom a row is about, read apart from everything else in it; None when that cannot be told."""
        identity = self._layout.identity
        if identity is None or record.fault is not None or len(record.cells) != self._width:
            return None
        facts = self._facts(self._stripped(record))
        needed = identity.outputs["employee_id"].columns
        if any(facts[name] is None for name in needed if name in self._due):
            return None
        try:
            row = identity.decide(facts, as_of=self._day, code_tables=self._plain_tables)
        except DecisionRefused:
            # Not an answer that is lost: the row itself is refused by name elsewhere.
            return None
        employee_id = row["employee_id"] if row is not None else None
        return employee_id if isinstance(employee_id, str) and employee_id else None

    def place_of(self, record: Record) -> CanonicalRow | None:
        """To which line of which document a row belongs, read apart from everything else in it.

        Without the line's number where that cannot be told; None when the document cannot, or there are no documents.
        """
        if record.fault is not None or len(record.cells) != self._width:
            return None
        facts = self._facts(self._stripped(record))
        for compiled in self._layout.places:
            needed = {column for output in compiled.outputs.values() for column in output.columns}
            if any(facts[name] is None for name in needed if name in self._due):
                continue
            try:
                row = compiled.decide(facts, as_of=self._day, code_tables=self._plain_tables)
            except DecisionRefused:
                # Not an answer that is lost: the row itself is refused by name elsewhere.
                continue
            if row is not None and "" not in row.values():
                return row
        return None

    def column_of(self, field: str | None) -> str | None:
        """The sender's headers of all columns that a canonical field is made of, with commas between."""
        if field is None:
            return None
        output = self._layout.compiled.outputs.get(field)
        return self._headers(output.columns if output is not None and output.columns else (field,))

    def _values(self, record: Record) -> list[str | None] | RowRefused:
        """The cells, an empty one as null, or what refuses the row before any expression sees it."""
        if record.fault is not None or len(record.cells) != self._width:
            return self._bad_form(record)
        values = self._stripped(record)
        if self._partner_at is not None and values[self._partner_at] != self._partner_code:
            return self._not_the_partners(values)
        if self._pick_due is not None and None in self._pick_due(values):
            return self._missing(values)
        return values

    def _stripped(self, record: Record) -> list[str | None]:
        if self._trim:
            return [cell.strip() or None for cell in record.cells]
        return [cell or None for cell in record.cells]

    def _facts(self, values: list[str | None]) -> dict[str, Value]:
        values.append(None)
        return dict(zip(self._names, self._pick(values), strict=True))

    def _refused(self, code: str, column: str | None, message: str) -> RowRefused:
        header = None if column is None else self._headers((column,))
        return RowRefused("rejected", code, header, message, self._version_id)

    def _headers(self, columns: Sequence[str]) -> str:
        return ", ".join(self._layout.headers.get(column, column) for column in columns)

    def _bad_form(self, record: Record) -> RowRefused:
        if record.fault is not None:
            return self._refused(record.fault, None, _FORM_FAULTS[record.fault])
        count = len(record.cells)
        code = "short_row" if count < self._width else "long_row"
        return self._refused(code, None, f"The row has {count} cells and the header {self._width}.")

    def _not_the_partners(self, values: Sequence[str | None]) -> RowRefused:
        if not any(values):
            return _BLANK_ROW
        column = self._layout.spec.partner_column
        if self._partner_at is not None and values[self._partner_at] is None:
            return self._refused("missing_value", column, "The cell is empty and a value is required.")
        message = "The row names another partner than the folder that the file came in."
        return self._refused("other_partner", column, message)

    def _missing(self, values: Sequence[str | None]) -> RowRefused:
        if not any(values):
            return _BLANK_ROW
        due = self._pick_due(values) if self._pick_due is not None else ()
        column = self._due[due.index(None)]
        return self._refused("missing_value", column, "The cell is empty and a value is required.")

    def _undecided(self, refusal: DecisionRefused) -> RowRefused:
        if not refusal.faults:
            return self._refused(refusal.code, None, refusal.message)
        fault = refusal.faults[0]
        named = self._headers(fault.inputs or (fault.pointer,))
        unmapped = Unmapped.of(refusal, self._day)
        return RowRefused("rejected", fault.code, named, f"{fault.message}.", self._version_id, unmapped)

    def _empty(self, field: str) -> RowRefused:
        message = f"No value is left for `{field}`, which is required."
        return RowRefused("rejected", "missing_value", self.column_of(field), message, self._version_id)


class _Noting(Mapping[str, str]):
    """A code table that notes what it lacks, where the layout goes on without."""

    def __init__(self, entries: Mapping[str, str], table: str, treated: Treated, day: date) -> None:
        self._entries = entries
        self._known_as = (table, treated, day)
        self._lacked: dict[str, None] = {}

    def told(self) -> Iterator[Missed]:
        """What it was asked for in vain since it was asked last."""
        table, treated, day = self._known_as
        for code in self._lacked:
            yield Missed(table, code, day, treated)
        self._lacked.clear()

    def __contains__(self, code: object) -> bool:
        if code in self._entries:
            return True
        # What is longer than any entry's code can never be mapped.
        if isinstance(code, str) and len(code) <= CODE_LENGTH_MAX:
            self._lacked.setdefault(code)
        return False

    def __getitem__(self, code: str) -> str:
        return self._entries[code]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


class _OfRejects(Translator):
    """Turns rejects that came back into canonical rows: cells that we made harmless are as they were."""

    def row(self, record: Record) -> CanonicalRow | RowRefused:
        """The canonical row; a row with cells that were hidden from whoever sent it back says nothing."""
        return _MASKED if MASK in record.cells else super().row(record)

    def control_cell(self, record: Record) -> str | None:
        """The text of the control column, as its sender wrote it first."""
        cell = super().control_cell(record)
        return None if cell is None else restored(cell)

    def _stripped(self, record: Record) -> list[str | None]:
        return super()._stripped(record._replace(cells=[restored(cell) for cell in record.cells]))


def _getter(positions: Sequence[int]) -> Any:  # noqa: ANN401 - itemgetter's result type depends on its arguments
    """Like itemgetter, but always of a tuple."""
    if len(positions) == 1:
        only = positions[0]
        return lambda values: (values[only],)
    return itemgetter(*positions)
