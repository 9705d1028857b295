"""Tables of documents: what each is called, its versions, and what files have said of a revision that is not whole yet.

A version is immutable. What was taken back with its file is kept under a revision below zero, and holds no more. A
revision that comes row by row is a draft until its file is read to the end; its rows are kept as ``document_line``, so
that each row is counted and traced for itself.
"""

from sqlalchemy import Boolean, Column, Index, Integer, UniqueConstraint

from chalicelib.storage.tables import Big, Blob, Digest, Id, JsonText, Microseconds, code, id_column, seq_column, table


def _whose() -> tuple[Column[bytes], Column[bytes], Index, Index]:
    """By whom a revision is found when a person is to be forgotten; see ``documents.whose``."""
    return (
        Column("employee_index", Digest),  # HMAC of the partner's employee number; None: names nobody, or erased
        Column("contact_index", Digest),  # HMAC of the customer's number, of a lead the mail address
        Index(None, "employee_index"),
        Index(None, "contact_index"),
    )


#: One order, shipment, return, quote or lead of one sender. ``partner_id``: whose feed it came with.
document = table(
    "document",
    id_column(),
    Column("partner_id", Id, nullable=False),
    Column("kind", code(12), nullable=False),  # order | shipment | return | quote | lead
    Column("scope", code(100), nullable=False),  # within what the number is one: a channel, an order; "" for nothing
    Column("number", code(100), nullable=False),
    Column("concerns_id", Id),  # the partner whose employee it is about, as the newest version says; None: nobody's
    Column("order_no", code(100)),  # of the order that it is about; None: it is about none
    # incomplete (no version yet) | pending | withdrawn (all that was said of it was taken back)
    Column("state", code(12), nullable=False),
    Column("newest_version_id", Id),
    Column("newest_revision", Integer),
    Column("created_at", Microseconds, nullable=False),
    Column("changed_at", Microseconds, nullable=False),
    UniqueConstraint("partner_id", "kind", "scope", "number"),
    Index(None, "partner_id", "kind", "number"),
    Index(None, "partner_id", "order_no"),
    Index(None, "state", "kind", "id"),
)

#: What one revision of a document says, whole.
document_version = table(
    "document_version",
    seq_column(),
    Column("id", Id, nullable=False, unique=True),
    Column("partner_id", Id, nullable=False),
    Column("document_id", Id, nullable=False),
    Column("revision", Integer, nullable=False),  # the sender's; 1, 2, 3, … where the sender counts none
    Column("content", JsonText, nullable=False),  # {"header": {}, "lines": [{}]}; nothing personal
    Column("personal", Blob),  # encrypted JSON, bound to the id; None: nothing personal was said, or it was forgotten
    Column("content_hash", Digest, nullable=False),  # HMAC of all that was said; stays, so that it is known again
    Column("source_file_id", Id),  # the file that completed it; None: by request
    Column("actor", code(60), nullable=False),
    Column("correlation_id", code(64), nullable=False),
    Column("recorded_at", Microseconds, nullable=False),
    *_whose(),
    UniqueConstraint("document_id", "revision"),
    Index(None, "source_file_id"),
)

#: A revision that comes in rows. ``revision`` 0: the sender counts none, and rows may be added later.
document_draft = table(
    "document_draft",
    Column("document_id", Id, primary_key=True),
    Column("revision", Integer, primary_key=True, autoincrement=False),
    Column("partner_id", Id, nullable=False),
    Column("header", JsonText, nullable=False),
    Column("personal", Blob),  # encrypted JSON, bound to the document's id
    Column("header_hash", Digest, nullable=False),  # HMAC of all that was said; stays, so that it is known again
    Column("concerns_id", Id),
    Column("whole", Boolean, nullable=False),  # its version has all of its lines
    Column("open_file_id", Id),  # the file that is being read; it is not whole before the end of it
    Column("changed_at", Microseconds, nullable=False),
    *_whose(),
    Index(None, "open_file_id"),
)

#: One accepted row of a file.
document_line = table(
    "document_line",
    Column("document_id", Id, primary_key=True),
    Column("revision", Integer, primary_key=True, autoincrement=False),
    Column("line_no", Integer, primary_key=True, autoincrement=False),
    Column("partner_id", Id, nullable=False),
    Column("content", JsonText, nullable=False),  # nothing personal
    Column("content_hash", Digest, nullable=False),
    Column("source_file_id", Id, nullable=False),
    Column("row_no", Integer, nullable=False),
    Column("byte_offset", Big, nullable=False),
    Column("byte_length", Integer, nullable=False),
    Column("actor", code(60), nullable=False),
    Column("correlation_id", code(64), nullable=False),
    Column("recorded_at", Microseconds, nullable=False),
    Index(None, "source_file_id", "row_no"),
)

#: A rejected row of a document: while there is one that no other row has filled, its revision is not whole.
document_gap = table(
    "document_gap",
    Column("file_id", Id, primary_key=True),
    Column("row_no", Integer, primary_key=True, autoincrement=False),
    Column("partner_id", Id, nullable=False),
    Column("kind", code(12), nullable=False),
    Column("scope", code(100), nullable=False),
    Column("number", code(100), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("line_no", Integer),  # None: it cannot be read
    Column("filled_by", Id),  # the file that brought the line since; None: nobody has
    Index(None, "partner_id", "kind", "number"),
    Index(None, "filled_by"),
)
