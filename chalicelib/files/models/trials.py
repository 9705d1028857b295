"""Table of trials: files that are tried, or decided again in thought, part by part by the workers."""

from sqlalchemy import Column, Index, Integer, String

from chalicelib.storage.tables import Big, Id, JsonText, Microseconds, code, id_column, table

#: One trial. Its figures move in the transaction of the part that they count; of the part itself nothing is kept,
#: unless a difference is made.
file_trial = table(
    "file_trial",
    id_column(),
    Column("partner_id", Id, nullable=False),
    # validate: a file that was not sent | compare: one that was processed | reprocess: make a comparison's difference
    Column("kind", code(10), nullable=False),
    Column("file_id", Id),  # the processed one
    Column("layout_name", code(64), nullable=False),
    Column("layout_version_id", Id, nullable=False),
    Column("name", code(255), nullable=False),
    Column("object_key", code(1024)),  # where the content of a file that was not sent is put
    Column("size_bytes", Big, nullable=False),
    Column("rules", code(8)),  # by which a processed one is decided again: same | latest
    # awaiting (its content) | working | done | failed | made (the difference of a comparison, or it is being made)
    Column("state", code(10), nullable=False),
    Column("parts", Integer),  # None: not cut yet
    Column("part", Integer, nullable=False, default=0),  # the next one
    Column("figures", JsonText, nullable=False),  # what has come of it so far
    Column("reason_code", code(60)),
    Column("reason", String(500)),
    Column("lease_until", Microseconds),  # also the token of who holds it
    Column("attempts", Integer, nullable=False, default=0),  # takings without progress
    Column("actor", code(60), nullable=False),
    Column("correlation_id", code(64), nullable=False),
    Column("requested_at", Microseconds, nullable=False),
    Column("changed_at", Microseconds, nullable=False),
    Column("finished_at", Microseconds),
    Index(None, "partner_id", "id"),
    Index(None, "state", "lease_until"),
)
