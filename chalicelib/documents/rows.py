"""Rows of files that are lines of documents: each is accepted, a duplicate or refused by itself.

A document's rows need not stand together. What its first row says of the whole document, the others have to say too.
A revision that its sender counts is whole at the end of the file that brings it, and closed then; where none is counted
(shipments, returns), a later file may add lines, and makes another version.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy.engine import Connection

from chalicelib.access.caller import Caller
from chalicelib.documents import completing, drafts, gaps, known, saying
from chalicelib.documents.drafts import Draft
from chalicelib.documents.gaps import Revision
from chalicelib.documents.kinds import Kind
from chalicelib.documents.models import document_line
from chalicelib.documents.saying import Place, Said
from chalicelib.partners.directory import Partner
from chalicelib.partners.house import prices
from chalicelib.partners.members import erasing, members
from chalicelib.partners.onboarding import manifests
from chalicelib.partners.provenance import ACCEPTED, DUPLICATE, RowSource, Told, refused
from chalicelib.rules import canonical
from chalicelib.storage import bulk

_UNKNOWN_ORDER: Final = refused(
    "unknown_order", "order_no", "No file has brought an order of this number yet.", fixable=True
)
_CLOSED: Final = refused(
    "revision_complete", "line_no", "The revision is known without this line: send another revision."
)
_OTHER_LINE: Final = refused("other_content", "line_no", "The line said something else before.")


def record(
    db: Connection,
    partner: Partner,
    rows: Sequence[Mapping[str, Any]],
    *,
    kind: Kind,
    sources: Sequence[RowSource],
    alone: bool = False,
    caller: Caller,
    now: datetime,
) -> list[Told]:
    """Keep rows of documents, in order; one outcome each.

    ``alone``: the rows are tried again after their file was read, so that a document of which nothing is missing any
    more is saved at once; otherwise ``completing.finish`` does so at the end of the file. Raises nothing for bad rows.
    """
    told, places, said = _read(kind, rows)
    concerned, strangers = _concerned(db, partner, {at: rows[at] for at in said}, kind)
    told |= strangers
    told |= _orderless(db, partner, kind, {at: rows[at] for at in said})
    told |= _erased(db, concerned, {at: rows[at] for at in said})
    good = {at: row for at, row in said.items() if at not in told}
    orders = {row.key: str(rows[at]["order_no"]) for at, row in good.items()} if kind.names_order else {}
    held = known.locked(db, partner.id, kind, {row.key for row in good.values()}, orders=orders, now=now)
    by_place = drafts.of(db, kind, held, {(held[row.key].id, row.revision) for row in good.values()})
    lines: list[dict[str, Any]] = []
    open_places: set[int] = set(places.keys() & told.keys())
    for at, row in good.items():
        place = (held[row.key].id, row.revision)
        draft = by_place.setdefault(place, drafts.begun(place, row, concerned[at]))
        told[at] = _judged(kind, draft, row)
        if told[at].outcome == "rejected":
            if not draft.closed:
                open_places.add(at)
            continue
        if not draft.closed:
            draft.said = True
        if told[at].outcome == "accepted":
            draft.lines[row.line_no] = row.line_hash
            draft.whole = False
            lines.append(_line(partner, draft, row, sources[at], caller, now))
    spoken = {line["document_id"] for line in lines}
    by_id = {row.id: orders[key] for key, row in held.items() if key in orders}
    known.revive(db, [row for row in held.values() if row.id in spoken], by_id, now=now)
    lines.sort(key=lambda line: (line["document_id"], line["revision"], line["line_no"]))
    _keep_gaps(db, partner, kind, {at: places[at] for at in open_places}, told, places, sources)
    file_id = None if alone or not sources else sources[0].file_id
    drafts.write(db, partner.id, by_place.values(), open_file_id=file_id, now=now)
    bulk.insert(db, document_line, lines)
    if alone:
        mended = [
            (source.file_id, source.row_no) for at, source in enumerate(sources) if told[at].outcome != "rejected"
        ]
        freed = gaps.close(db, [(file, row) for file, row in mended if file is not None and row is not None])
        touched = {Revision(row.key, row.revision) for at, row in good.items() if told[at].outcome != "rejected"}
        completing.complete(db, partner.id, kind, freed | touched, caller=caller, now=now)
    return [told[at] for at in range(len(rows))]


def _read(kind: Kind, rows: Sequence[Mapping[str, Any]]) -> tuple[dict[int, Told], dict[int, Place], dict[int, Said]]:
    """The refusals of rows that cannot be kept, where each row belongs that says so, and what the good ones say."""
    told: dict[int, Told] = {}
    places: dict[int, Place] = {}
    said: dict[int, Said] = {}
    for at, row in enumerate(rows):
        where = saying.place(kind, row)
        if isinstance(where, Told):
            told[at] = where
            continue
        places[at] = where
        found = saying.said(kind, row, where)
        if isinstance(found, Told):
            told[at] = found
        else:
            said[at] = found
    return told, places, said


def _orderless(db: Connection, partner: Partner, kind: Kind, rows: Mapping[int, Mapping[str, Any]]) -> dict[int, Told]:
    """The refusals of rows that name an order which nobody has brought."""
    if not kind.names_order:
        return {}
    numbers = {at: str(row["order_no"]) for at, row in rows.items()}
    orders = known.orders(db, partner.id, numbers.values())
    return {at: _UNKNOWN_ORDER for at, number in numbers.items() if number not in orders}


def _erased(
    db: Connection, concerned: Mapping[int, bytes | None], rows: Mapping[int, Mapping[str, Any]]
) -> dict[int, Told]:
    """The refusals of rows that name an employee who was erased, unless somebody else has the number since."""
    named: dict[bytes, dict[int, str]] = {}
    for at, row in rows.items():
        partner_id, number = concerned[at], row.get("employee_id")
        if partner_id is not None and number is not None:
            named.setdefault(partner_id, {})[at] = number
    told: dict[int, Told] = {}
    for partner_id, numbers in sorted(named.items()):
        erased = set(erasing.erased_numbers(db, partner_id, set(numbers.values())))
        if erased:
            erased -= members.by_employee(db, partner_id, erased).keys()
        told |= {at: erasing.REFUSAL for at, number in numbers.items() if number in erased}
    return told


def _judged(kind: Kind, draft: Draft, row: Said) -> Told:
    """What becomes of one row of a revision, given what is known of it."""
    differs = draft.differing(row)
    if differs is not None:
        if draft.closed or not kind.line:
            return refused("other_content", differs, f"The {kind.name} said something else before.")
        return refused("contradicts", differs, f"Another row of the same {kind.name} says something else.")
    line = draft.lines.get(row.line_no)
    if line is not None:
        return DUPLICATE if line == row.line_hash else _OTHER_LINE
    return _CLOSED if draft.closed else ACCEPTED


def _concerned(
    db: Connection, partner: Partner, rows: Mapping[int, Mapping[str, Any]], kind: Kind
) -> tuple[dict[int, bytes | None], dict[int, Told]]:
    """Whose employee each row is about, and the refusals of rows that are not the sender's to bring.

    A partner's feed is about that partner; the retailer's may name any.
    """
    if "partner_code" not in kind.header:
        return dict.fromkeys(rows), {}
    ids = prices.partner_ids(db, (row["partner_code"] for row in rows.values()))
    is_house = manifests.is_house(db, partner)
    found: dict[int, bytes | None] = {}
    told: dict[int, Told] = {}
    for at, row in rows.items():
        code = row["partner_code"]
        found[at] = partner.id if not is_house else ids.get(code)
        if code is not None and not is_house and code != partner.code:
            told[at] = refused(
                "other_partner", "partner_code", "The row names another partner than the folder that the file came in."
            )
        elif code is not None and code not in ids:
            told[at] = prices.unknown_partner()
        elif is_house and code is None and row.get("employee_id") is not None:
            told[at] = refused("missing_value", "partner_code", "An employee is somebody's: name the partner.")
    return found, told


def _keep_gaps(
    db: Connection,
    partner: Partner,
    kind: Kind,
    refused_places: Mapping[int, Place],
    told: Mapping[int, Told],
    places: Mapping[int, Place],
    sources: Sequence[RowSource],
) -> None:
    """Rows that were refused keep their revision from being whole, until a row brings that line."""
    brought = {
        where: file_id
        for at, where in places.items()
        if told[at].outcome == "accepted" and (file_id := sources[at].file_id) is not None
    }
    gaps.fill(db, partner.id, kind.name, brought)
    kept: dict[gaps.RowPlace, Place] = {}
    for at, where in refused_places.items():
        file_id, row_no = sources[at].file_id, sources[at].row_no
        if file_id is not None and row_no is not None:
            kept[file_id, row_no] = where
    gaps.note(db, partner.id, kind.name, kept)


def _line(
    partner: Partner, draft: Draft, row: Said, source: RowSource, caller: Caller, now: datetime
) -> dict[str, Any]:
    return {
        "document_id": draft.document_id,
        "revision": draft.revision,
        "line_no": row.line_no,
        "partner_id": partner.id,
        "content": canonical.text(dict(row.line)),
        "content_hash": row.line_hash,
        "source_file_id": source.file_id,
        "row_no": source.row_no,
        "byte_offset": source.byte_offset,
        "byte_length": source.byte_length,
        "actor": caller.actor,
        "correlation_id": caller.correlation_id,
        "recorded_at": now,
    }
