"""The table of how long each class of data is kept, where an administrator said something else than the default."""

from sqlalchemy import Column, Integer

from chalicelib.storage.tables import Microseconds, code, table

retention_policy = table(
    "retention_policy",
    Column("data_class", code(40), primary_key=True),
    Column("days", Integer),  # None: for ever
    Column("changed_by", code(60), nullable=False),
    Column("changed_at", Microseconds, nullable=False),
    tenant=False,
)
