"""Tables of the rules room: rulesets, immutable versions, dated activations, code tables."""

from sqlalchemy import Column, ForeignKey, Index, Integer, String, UniqueConstraint

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
    UniqueConstraint("ruleset_id", "effective_from", "activated_at"),
    tenant=False,
)

#: A table that translates a partner's codes into ours. ``partner_id`` is None when every partner may use it.
code_table = table(
    "code_table",
    id_column(),
    Column("code", code(100), nullable=False, unique=True),
    Column("partner_id", Id),
    Column("owner", String(100), nullable=False),
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
