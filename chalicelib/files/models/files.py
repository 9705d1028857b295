"""Tables of the files room: inbound files, rows that were not accepted, corrections, alerts, files that are sent."""

from sqlalchemy import Boolean, Column, Index, Integer, String, UniqueConstraint

from chalicelib.storage.tables import Big, Blob, Day, Digest, Id, JsonText, Microseconds, code, id_column, table

#: Sixteen zero bytes: the partner of an object whose key names none of ours. Nobody's key is bound to it.
NOBODY = bytes(16)

#: One arrival of one object. Counts and sums move in the transaction of the slice that they count.
inbound_file = table(
    "inbound_file",
    id_column(),
    Column("partner_id", Id, nullable=False),  # NOBODY when the key names no partner
    Column("arrival_key", Digest, nullable=False, unique=True),  # SHA-256 of bucket, key, ETag and arrival time
    Column("bucket", code(100), nullable=False),
    Column("object_key", code(1024), nullable=False),
    Column("key_hash", Digest, nullable=False),  # SHA-256 of the key, which is too long for an index
    Column("arrival_no", Integer, nullable=False),  # 1 for the first object of this key, 2 for the next, ...
    Column("etag", code(100), nullable=False),
    Column("name", code(255), nullable=False),
    Column("layout_name", code(64), nullable=False),
    Column("layout_version_id", Id),
    Column("entity", code(20)),  # roster | accrual | code_table
    Column("rank", Integer),  # None: unknown layout, needs no turn
    Column("size_bytes", Big, nullable=False),
    Column("sha256", Digest),  # of the object's bytes as they arrived
    Column("compressed", Boolean, nullable=False, default=False),
    Column("header", JsonText),  # the header's cells as the sender wrote them
    Column("warnings", JsonText),  # sentences for the receipt
    # arrived (-> waiting for its sidecar -> arrived) -> checked -> applying -> applied -> processed, or one of
    # quarantined | duplicate | ignored | broken. It is finished once finished_at is set: answered, archived, deleted.
    Column("state", code(16), nullable=False),
    Column("reason_code", code(60)),
    Column("reason", String(500)),
    Column("duplicate_of", Id),
    Column("lease_until", Microseconds),  # also the token of who holds it
    Column("attempts", Integer, nullable=False, default=0),  # takings without progress
    # The checkpoint: how much has been applied. A slice moves it by compare-and-set.
    Column("slice_no", Integer, nullable=False, default=0),
    Column("next_row", Integer, nullable=False, default=1),
    Column("next_offset", Big, nullable=False, default=0),
    Column("rows_total", Integer),
    Column("rows_accepted", Integer, nullable=False, default=0),
    Column("rows_rejected", Integer, nullable=False, default=0),
    Column("rows_duplicate", Integer, nullable=False, default=0),
    Column("rows_ignored", Integer, nullable=False, default=0),
    # Sums of the control column, in its minor units (scale 6); unreadable amounts are counted.
    Column("control_in", Big, nullable=False, default=0),
    Column("control_accepted", Big, nullable=False, default=0),
    Column("control_rejected", Big, nullable=False, default=0),
    Column("control_duplicate", Big, nullable=False, default=0),
    Column("control_ignored", Big, nullable=False, default=0),
    Column("control_unreadable", Integer, nullable=False, default=0),
    Column("control_source", code(8)),  # trailer | sidecar; None when the sender stated nothing
    Column("sidecar_key", code(1024)),
    Column("sidecar_etag", code(100)),
    Column("snapshot_date", Day),  # from when on a snapshot's absent are gone; None: no row of it says
    Column("rows_absent", Integer, nullable=False, default=0),  # members that a snapshot terminated by silence
    Column("rows_unnamed", Integer, nullable=False, default=0),  # snapshot rows that do not say whom they are about
    Column("receipt_revision", Integer, nullable=False, default=0),
    Column("receipt_written", Integer, nullable=False, default=0),  # less than the revision: to be written (again)
    Column("correlation_id", code(64), nullable=False),
    Column("arrived_at", Microseconds, nullable=False),
    Column("started_at", Microseconds),
    Column("finished_at", Microseconds),
    Column("changed_at", Microseconds, nullable=False),
    UniqueConstraint("key_hash", "arrival_no"),
    Index(None, "partner_id", "finished_at"),
    Index(None, "partner_id", "layout_name", "sha256"),
    Index(None, "partner_id", "name"),
    Index(None, "finished_at", "lease_until"),
)

#: A row, or a run of rows, whose outcome is not "accepted". Raw rows are encrypted: they may be personal.
file_row = table(
    "file_row",
    Column("file_id", Id, primary_key=True),
    Column("row_no", Integer, primary_key=True, autoincrement=False),
    Column("row_to", Integer, nullable=False),  # = row_no but for runs of duplicates or ignored rows
    Column("partner_id", Id, nullable=False),
    Column("outcome", code(12), nullable=False),  # rejected | duplicate | ignored | accepted (after a retry)
    Column("code", code(60)),
    Column("column_name", code(100)),
    Column("message", String(500)),
    Column("fixable", Boolean, nullable=False),
    Column("byte_offset", Big, nullable=False),
    Column("byte_length", Integer, nullable=False),
    Column("control_minor", Big, nullable=False),
    Column("control_readable", Boolean, nullable=False),
    Column("raw", Blob),  # sealed, bound to file_id; as corrected, once it was: file_row_fix says how it came
    Column("fixes", Integer, nullable=False, default=0),  # corrections so far: the number of the latest one
    Column("fixes_tried", Integer, nullable=False, default=0),  # the latest correction that was decided on
    Column("control_fixed_minor", Big),  # the control amount of the corrected row; None: not corrected or unreadable
    Column("rule_version_id", Id),  # the layout or ruleset that refused it
    # The code table that lacks a code, the code, and the day on which it was looked up.
    Column("unmapped_table", code(100)),
    Column("unmapped_code", code(100)),
    Column("unmapped_on", Day),
    Column("retried_for", Id),  # the roster file that gave it its latest other try
    Column("recorded_at", Microseconds, nullable=False),
    Column("resolved_at", Microseconds),
    Index(None, "partner_id", "code", "resolved_at", "file_id", "row_no"),
    # All that is asked of unmapped codes, so that no row has to be read; the name by rule is too long.
    Index(
        "ix_file_row_unmapped",
        "unmapped_table",
        "unmapped_code",
        "unmapped_on",
        "partner_id",
        "recorded_at",
        "file_id",
        "row_no",
    ),
)

#: One correction of a rejected row, never changed: what the cells were and what they became, by whom and why.
file_row_fix = table(
    "file_row_fix",
    Column("file_id", Id, primary_key=True),
    Column("row_no", Integer, primary_key=True, autoincrement=False),
    Column("fix_no", Integer, primary_key=True, autoincrement=False),  # 1, 2, 3, ...
    Column("partner_id", Id, nullable=False),
    Column("source", code(8), nullable=False),  # api | file: a file of rejects that came back
    Column("source_file_id", Id),  # that file, which has the row from then on
    Column("source_row_no", Integer),
    Column("cells", Blob, nullable=False),  # sealed JSON {header: [before, after]}, bound to file_id
    Column("reason", String(500)),
    Column("actor", code(60), nullable=False),
    Column("correlation_id", code(64), nullable=False),
    Column("fixed_at", Microseconds, nullable=False),
    Index(None, "source_file_id", "source_row_no"),
)

#: What was wrong with a delivery of a file that is expected by the calendar; one row a delivery and kind.
file_alert = table(
    "file_alert",
    id_column(),
    Column("partner_id", Id, nullable=False),
    Column("layout_name", code(64), nullable=False),
    Column("due_at", Microseconds, nullable=False),  # which delivery of the calendar
    Column("kind", code(10), nullable=False),  # missing | late | empty | small
    Column("file_id", Id),  # the file it is about; None: there is none
    Column("detail", String(500), nullable=False),
    Column("raised_at", Microseconds, nullable=False),
    Column("resolved_at", Microseconds),  # a missing file has come
    UniqueConstraint("partner_id", "layout_name", "due_at", "kind"),
    Index(None, "partner_id", "resolved_at", "raised_at"),
    Index(None, "resolved_at", "raised_at"),
)

#: One file that the hub sends, from the request to the object. ``request_key`` says which file it is: it is sent once.
export_file = table(
    "export_file",
    id_column(),
    Column("partner_id", Id, nullable=False),  # NOBODY: of every partner, for an outside system
    Column("export", code(40), nullable=False),
    Column("receiver", code(64), nullable=False),  # the first part of the key: the partner's code, or _<system>
    Column("request_key", code(100), nullable=False),
    Column("parameters", JsonText, nullable=False),
    Column("layout_hash", Digest),  # of the layout by which it was written
    Column("state", code(12), nullable=False),  # queued | writing | written | empty | failed
    Column("file_seq", Big),  # given when writing begins; final once it is written
    Column("object_key", code(1024)),
    Column("as_of", Microseconds),  # the moment that it shows
    Column("rows", Integer),
    Column("control_sum", Big),  # of the control column, in millionths
    Column("size_bytes", Big),
    Column("sha256", Digest),
    Column("reason_code", code(60)),
    Column("reason", String(500)),
    Column("lease_until", Microseconds),  # also the token of who holds it
    Column("attempts", Integer, nullable=False, default=0),
    Column("created_by", code(60), nullable=False),
    Column("correlation_id", code(64), nullable=False),
    Column("created_at", Microseconds, nullable=False),
    Column("finished_at", Microseconds),
    Column("changed_at", Microseconds, nullable=False),
    UniqueConstraint("export", "receiver", "request_key"),
    UniqueConstraint("export", "receiver", "file_seq"),
    Index(None, "partner_id", "id"),
    Index(None, "finished_at", "lease_until"),
)

#: The files of one export for one receiver, one after the other: the last number given, and which export writes now.
export_stream = table(
    "export_stream",
    Column("export", code(40), primary_key=True),
    Column("receiver", code(64), primary_key=True),
    Column("partner_id", Id, nullable=False),  # as in export_file
    Column("last_seq", Big, nullable=False, default=0),
    Column("writing_id", Id),  # None: nobody
    Column("changed_at", Microseconds, nullable=False),
)

#: Up to which version of it a receiver was sent something: what has a later version is in the next delta.
export_mark = table(
    "export_mark",
    Column("export", code(40), primary_key=True),
    Column("receiver", code(64), primary_key=True),
    Column("key", Id, primary_key=True),
    Column("partner_id", Id, nullable=False),
    Column("version", Big, nullable=False),
)
