"""Tables of the workbench: back-tests with their checkpoint and result, by member, and the records that stand out."""

from sqlalchemy import Column, ForeignKey, Index, Integer, String, UniqueConstraint

from chalicelib.storage.tables import Big, Day, Digest, Id, JsonText, Microseconds, code, id_column, table

#: One run of past events under another version. What approves a version names its three hashes.
backtest = table(
    "backtest",
    id_column(),
    Column("partner_id", Id, ForeignKey("partner.id"), nullable=False),  # whose events are run again
    Column("ruleset_id", Id, ForeignKey("ruleset.id"), nullable=False),
    Column("version_id", Id, ForeignKey("ruleset_version.id"), nullable=False),  # the draft
    Column("content_hash", Digest, nullable=False),  # of that version
    Column("tables_hash", Digest, nullable=False),  # of the code tables that it looks up in, as it read them
    Column("tests_hash", Digest, nullable=False),  # of the version's cases and the golden ones, and how they ended
    Column("bound_to", Id),  # the partner to which who asked is bound; None: to nobody
    Column("selection", JsonText, nullable=False),
    Column("state", code(12), nullable=False),  # queued | running | done | failed | cancelled
    Column("reason_code", code(60)),
    Column("reason", String(500)),
    Column("seq_max", Big, nullable=False),  # events that are stored later are not part of it
    # The checkpoint: the slice that comes next, and behind which record of its stage it begins.
    Column("stage", code(12), nullable=False),  # counting | rejects | accounts
    Column("slice_no", Integer, nullable=False, default=0),
    Column("checkpoint", Id),  # the last account that was finished
    Column("checkpoint_file", Id),  # the last rejected row that was looked at
    Column("checkpoint_row", Integer),
    Column("first_day", Day),  # of the selected events, known once they are counted
    Column("last_day", Day),
    Column("events_total", Big),  # None: not counted yet
    Column("events_done", Big, nullable=False, default=0),
    Column("summary", JsonText),  # the result so far; complete when the state is done
    Column("data_hash", Digest),  # of everything that was read; None until it is done
    Column("result_hash", Digest),  # of the whole result; None until it is done
    Column("lease_until", Microseconds),  # also the token of who holds it
    Column("attempts", Integer, nullable=False, default=0),  # takings without progress
    Column("created_by", code(60), nullable=False),
    Column("correlation_id", code(64), nullable=False),
    Column("created_at", Microseconds, nullable=False),
    Column("started_at", Microseconds),
    Column("finished_at", Microseconds),
    Column("changed_at", Microseconds, nullable=False),
    Index(None, "partner_id", "ruleset_id"),
    Index(None, "version_id", "state"),
    Index(None, "finished_at", "lease_until"),
)

#: What the draft changes for one member in one program; in minor units of the program.
backtest_member = table(
    "backtest_member",
    Column("backtest_id", Id, primary_key=True),
    Column("account_id", Id, primary_key=True),
    Column("partner_id", Id, nullable=False),
    Column("member_id", Id, nullable=False),
    Column("program_id", Id, nullable=False),
    Column("then_minor", Big, nullable=False),
    Column("now_minor", Big, nullable=False),
    Column("difference_minor", Big, nullable=False),
    Column("events", Integer, nullable=False),
    Column("changed", Integer, nullable=False),  # events that earn something else, or are refused or accepted now
    Index(None, "backtest_id", "changed"),
)

#: A record that is refused now and was not, or the reverse. The first of them; all are counted in the summary.
backtest_record = table(
    "backtest_record",
    Column("backtest_id", Id, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("partner_id", Id, nullable=False),
    Column("kind", code(12), nullable=False),  # refused | accepted
    Column("account_id", Id, nullable=False),
    Column("member_id", Id, nullable=False),
    Column("program_id", Id, nullable=False),
    Column("event_id", code(100), nullable=False),
    Column("event_date", Day, nullable=False),
    Column("accrual_id", Id),  # the stored event; None for a row that was rejected
    Column("file_id", Id),
    Column("row_no", Integer),
    Column("then_minor", Big, nullable=False),
    Column("now_minor", Big, nullable=False),
    Column("code", code(60)),  # why it is refused now, or was then
    Column("field", code(100)),
    Column("message", String(500)),
)

#: Rejected rows of the selected files whose account is known: to be decided among the account's events.
backtest_row = table(
    "backtest_row",
    Column("backtest_id", Id, primary_key=True),
    Column("account_id", Id, primary_key=True),
    Column("file_id", Id, primary_key=True),
    Column("row_no", Integer, primary_key=True, autoincrement=False),
    Column("partner_id", Id, nullable=False),
    Column("event_id", code(100), nullable=False),
    UniqueConstraint("backtest_id", "event_id"),
)
