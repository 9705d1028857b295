"""Tables of the rules room: rulesets, immutable versions, golden cases, approvals, dated activations, code tables."""

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, String, UniqueConstraint

from chalicelib.storage.tables import Day, Digest, Id, JsonText, Microseconds, code, id_column, table

#: A named ruleset; layouts and mappings are kinds of rulesets. ``partner_id`` is None when every partner may use it.
ruleset = table(
    "ruleset",
    id_column(),
    Column("code", code(100), nullable=False, unique=True),
    Column("kind", code(20), nullable=False),  # accrual | layout | mapping | enrolment | …
    Column("partner_id", Id),
    Column("owner", String(100), nullable=False),
    Column("created_at", Microseconds, nullable=False),
    Index(None, "partner_id", "kind"),
    tenant=False,
)

#: One immutable content of a ruleset. ``content`` is the exact text that ``content_hash`` was taken of.
ruleset_version = table(
    "ruleset_version",
    id_column(),
    Column("ruleset_id", Id, ForeignKey("ruleset.id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("content_hash", Digest, nullable=False),
    Column("content", JsonText, nullable=False),
    Column("created_at", Microseconds, nullable=False),
    Column("created_by", code(60), nullable=False),
    UniqueConstraint("ruleset_id", "number"),
    UniqueConstraint("ruleset_id", "content_hash"),
    tenant=False,
)

#: A golden case: what every version of the ruleset must decide, besides the cases in its own document.
ruleset_case = table(
    "ruleset_case",
    id_column(),
    Column("ruleset_id", Id, ForeignKey("ruleset.id"), nullable=False),
    Column("case_id", code(100), nullable=False),
    Column("partner_id", Id),  # whose record it was made of; None: written by hand
    Column("accrual_id", Id),  # the record it was made of
    Column("content", JsonText, nullable=False),
    Column("content_hash", Digest, nullable=False),
    Column("created_at", Microseconds, nullable=False),
    Column("created_by", code(60), nullable=False),
    Column("changed_at", Microseconds, nullable=False),
    Column("changed_by", code(60), nullable=False),
    UniqueConstraint("ruleset_id", "case_id"),
    tenant=False,
)

#: A second person's word for one version, bound to what that person saw. Never changed, only added to.
ruleset_approval = table(
    "ruleset_approval",
    id_column(),
    Column("version_id", Id, ForeignKey("ruleset_version.id"), nullable=False),
    Column("tests_hash", Digest, nullable=False),  # of the cases and what became of them
    Column("tables_hash", Digest, nullable=False),  # of the code tables that the version looks up in
    Column("data_hash", Digest),  # of what the back-test read; None: nothing to back-test on
    Column("result_hash", Digest),  # of what the back-test gave
    Column("bound_hash", Digest, nullable=False),  # of the version's content and of all of the above
    Column("backtest_id", Id),  # the newest of those below
    Column("backtest_ids", JsonText, nullable=False),  # hexadecimal; of a shared ruleset, one of each partner
    Column("effective_from", Day, nullable=False),  # the first day from which the version may come to decide
    Column("approved_by", code(60), nullable=False),  # usr_…
    Column("note", String(500)),
    Column("created_at", Microseconds, nullable=False),
    Index(None, "version_id", "created_at"),
    tenant=False,
)

#: From which event date a version decides, and since when that is known. Never changed, only added to.
ruleset_activation = table(
    "ruleset_activation",
    id_column(),
    Column("ruleset_id", Id, ForeignKey("ruleset.id"), nullable=False),
    Column("version_id", Id, ForeignKey("ruleset_version.id"), nullable=False),
    Column("effective_from", Day, nullable=False),
    Column("activated_at", Microseconds, nullable=False),
    Column("activated_by", code(60), nullable=False),
    Column("approved_by", code(60)),
    Column("withdraws_id", Id),  # a rollback: the version that was taken back
    Column("by_file", Boolean, nullable=False),  # a rule file asked for it; else a person named the day
    UniqueConstraint("ruleset_id", "effective_from", "activated_at"),
    tenant=False,
)

#: A plan of a whole configuration that needs a second person's word, as the hub made it. Never changed.
configuration_plan = table(
    "configuration_plan",
    Column("plan_hash", Digest, primary_key=True),
    Column("partner_id", Id),  # the one whose documents it has, and no shared ones; else None
    Column("content", JsonText, nullable=False),  # every step that is not `unchanged`
    Column("planned_by", code(60), nullable=False),
    Column("created_at", Microseconds, nullable=False),
    tenant=False,
)

#: What became of such a plan, in order: approved by somebody, applied by somebody. Never changed, only added to.
configuration_plan_event = table(
    "configuration_plan_event",
    id_column(),
    Column("plan_hash", Digest, ForeignKey("configuration_plan.plan_hash"), nullable=False),
    Column("event", code(10), nullable=False),  # approved | applied
    Column("actor", code(60), nullable=False),  # usr_…
    Column("key_id", Id),  # by which it was approved
    Column("note", String(500)),
    Column("created_at", Microseconds, nullable=False),
    Index(None, "plan_hash", "created_at"),
    tenant=False,
)

#: A table that translates a partner's codes into ours. ``partner_id`` is None when every partner may use it.
code_table = table(
    "code_table",
    id_column(),
    Column("code", code(100), nullable=False, unique=True),
    Column("partner_id", Id),
    Column("owner", String(100), nullable=False),
    Column("value_declaration", JsonText),  # what its values may be; None: any text
    Column("content_hash", Digest, nullable=False),
    Column("created_at", Microseconds, nullable=False),
    Column("changed_at", Microseconds, nullable=False),
    tenant=False,
)

#: One dated entry; ``superseded_at`` keeps what a later change replaced.
code_table_entry = table(
    "code_table_entry",
    id_column(),
    Column("table_id", Id, ForeignKey("code_table.id"), nullable=False),
    Column("entry_code", code(100), nullable=False),
    Column("value", String(200), nullable=False),
    Column("description", String(500)),
    Column("effective_from", Day, nullable=False),
    Column("effective_to", Day),
    Column("recorded_at", Microseconds, nullable=False),
    Column("superseded_at", Microseconds),
    Index(None, "table_id", "entry_code"),
    tenant=False,
)

#: What one accepted row of a partner's file of entries did. Never changed, only added to.
code_table_change = table(
    "code_table_change",
    Column("file_id", Id, primary_key=True),
    Column("row_no", Integer, primary_key=True, autoincrement=False),
    Column("partner_id", Id, nullable=False),
    # A row of a plan changes an entry of several tables.
    Column("table_id", Id, ForeignKey("code_table.id"), primary_key=True),
    Column("entry_code", code(100), nullable=False),
    Column("effective_from", Day, nullable=False),
    Column("effect", code(8), nullable=False),  # set | ended
    Column("recorded_at", Microseconds, nullable=False),
)

#: A code that records of one batch looked up in vain and were decided without. Never changed, only added to.
code_table_miss = table(
    "code_table_miss",
    id_column(),
    Column("partner_id", Id, nullable=False),
    Column("table_code", code(100), nullable=False),
    Column("entry_code", code(100), nullable=False),
    Column("asked_on", Day, nullable=False),  # the day of which the look-up asked
    Column("treated", code(8), nullable=False),  # default | null
    Column("records", Integer, nullable=False),
    Column("file_id", Id),  # None: by the API
    Column("row_no", Integer),  # the first of the file's rows
    Column("accrual_id", Id),  # the first of the accruals; None: no accrual asked
    Column("recorded_at", Microseconds, nullable=False),
    Index(None, "table_code", "entry_code", "asked_on"),
)
