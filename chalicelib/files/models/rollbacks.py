"""Tables of taking files back: one row a run, and what a run had to leave as it was."""

from sqlalchemy import Column, Index, Integer, String, UniqueConstraint

from chalicelib.storage.tables import Big, Id, JsonText, Microseconds, code, id_column, table

#: One run that takes a file back. Its checkpoint moves in the transaction of the slice that it counts.
file_rollback = table(
    "file_rollback",
    id_column(),
    Column("partner_id", Id, nullable=False),
    Column("file_id", Id, nullable=False),
    Column("run_no", Integer, nullable=False),  # 1; another one takes back what an earlier one had to leave
    Column("reason", String(500), nullable=False),
    Column("stage", code(12), nullable=False),  # see rollbacks.STAGES; then done, or failed
    Column("slice_no", Integer, nullable=False, default=0),
    Column("checkpoint", Big, nullable=False),  # everything from here on is taken back, in the stage's own order
    Column("lease_until", Microseconds),  # also the token of who holds it
    Column("attempts", Integer, nullable=False, default=0),  # takings without progress
    Column("undone", Integer, nullable=False, default=0),  # events, corrections, balances, members, …
    Column("left_over", Integer, nullable=False, default=0),  # how many had to stay as they are
    Column("points", JsonText, nullable=False),  # program id -> what became of the points, in minor units
    Column("actor", code(60), nullable=False),
    Column("correlation_id", code(64), nullable=False),
    Column("requested_at", Microseconds, nullable=False),
    Column("changed_at", Microseconds, nullable=False),
    Column("finished_at", Microseconds),
    UniqueConstraint("file_id", "run_no"),
    Index(None, "partner_id", "finished_at"),
    Index(None, "finished_at", "lease_until"),
)

#: What a run could not take back, and why.
file_rollback_left = table(
    "file_rollback_left",
    Column("rollback_id", Id, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),  # 1, 2, 3, … in the order of the run
    Column("partner_id", Id, nullable=False),
    Column("kind", code(12), nullable=False),  # accrual | opening | adjustment | document | member | entry
    Column("subject_id", Id, nullable=False),  # of the record or member; an entry's table
    Column("entry_code", code(100)),  # the code of an entry of a code table
    Column("row_no", Integer),
    Column("code", code(60), nullable=False),
    Column("program_id", Id),
    Column("amount_minor", Big, nullable=False, default=0),  # points that stay: not taken, or given up
)
