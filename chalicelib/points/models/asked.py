"""The columns of whatever one person asks for and another decides about."""

from typing import Any

from sqlalchemy import Column, String

from chalicelib.storage.tables import Big, Id, Microseconds, code, seq_column


def asked_columns() -> tuple["Column[Any]", ...]:
    """Whose points, how many, who asked under which reference, and what was decided by whom.

    What a ``state`` is called is each table's.
    """
    return (
        seq_column(),
        Column("id", Id, nullable=False, unique=True),
        Column("partner_id", Id, nullable=False),
        Column("program_id", Id, nullable=False),
        Column("member_id", Id, nullable=False),
        Column("account_id", Id, nullable=False),
        Column("reference", code(100), nullable=False),
        Column("amount_minor", Big, nullable=False),
        Column("state", code(12), nullable=False),
        Column("transfer_id", Id),
        Column("author", code(60), nullable=False),
        Column("decided_by", code(60)),
        Column("decision_comment", String(500)),
        Column("correlation_id", code(64), nullable=False),
        Column("created_at", Microseconds, nullable=False),
        Column("decided_at", Microseconds),
    )
