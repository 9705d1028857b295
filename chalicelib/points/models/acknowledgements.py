"""The table of what SAP and NetSuite answer to the documents of the books. Rows are only added."""

from sqlalchemy import Column, Index, Integer, UniqueConstraint

from chalicelib.storage.tables import Big, Digest, Id, JsonText, Microseconds, code, seq_column, table

#: One word about one document. ``version`` is its moment, in microseconds since 1970; the latest word holds. Below
#: zero: it was withdrawn with its file.
posting_acknowledgement = table(
    "posting_acknowledgement",
    seq_column(),
    Column("id", Id, nullable=False, unique=True),
    Column("system", code(20), nullable=False),  # sap | netsuite
    Column("posting_id", Id, nullable=False),
    Column("doc_no", code(40), nullable=False),  # "": the system has made none
    Column("version", Big, nullable=False),
    Column("partner_id", Id, nullable=False),  # the posting's
    Column("status", code(10), nullable=False),  # POSTED | REJECTED
    Column("content", JsonText, nullable=False),
    Column("content_hash", Digest, nullable=False),
    Column("source_file_id", Id),  # None: by request
    Column("row_no", Integer),
    Column("byte_offset", Big),
    Column("byte_length", Integer),
    Column("actor", code(60), nullable=False),
    Column("correlation_id", code(64), nullable=False),
    Column("recorded_at", Microseconds, nullable=False),
    UniqueConstraint("system", "posting_id", "doc_no", "version"),
    Index(None, "posting_id"),
    Index(None, "source_file_id", "row_no"),
)
