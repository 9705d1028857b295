"""Tables of what the retailer's own systems say: articles, prices, stock, customers; and plans of allowances.

What is said is only ever added to: a later word about the same key has a higher ``version``, and the latest one holds.
Each word keeps the row of the file, or nothing where it came by request, and who brought it.
"""

from sqlalchemy import Column, Index, Integer, Table, UniqueConstraint
from sqlalchemy.schema import SchemaItem

from chalicelib.storage.tables import (
    Big,
    Blob,
    Day,
    Digest,
    Id,
    JsonText,
    Microseconds,
    code,
    id_column,
    seq_column,
    table,
)


def _versions(name: str, *key: Column[object], also: tuple[SchemaItem, ...] = (), tenant: bool = False) -> Table:
    """A table of words about what ``key`` names. ``version``: 1, 2, 3, … by correction, or the source's own number."""
    names = [column.name for column in key]
    return table(
        name,
        seq_column(),
        Column("id", Id, nullable=False, unique=True),
        *key,
        Column("version", Big, nullable=False),
        Column("content", JsonText, nullable=False),  # what is said, as canonical JSON; nothing personal
        Column("content_hash", Digest, nullable=False),  # of all that is said: tells a duplicate from a correction
        *also,
        Column("source_file_id", Id),  # None: by request
        Column("row_no", Integer),
        Column("byte_offset", Big),
        Column("byte_length", Integer),
        Column("actor", code(60), nullable=False),
        Column("correlation_id", code(64), nullable=False),
        Column("recorded_at", Microseconds, nullable=False),
        UniqueConstraint(*names, "version"),
        Index(None, "source_file_id", "row_no"),
        tenant=tenant,
    )


#: What an article is from a day on.
product_version = _versions(
    "product_version",
    Column("sku", code(64), nullable=False),
    Column("effective_date", Day, nullable=False),
)

#: What an article costs from a day on, for one partner, or (``account_ids.HOUSE``) for all that have no own price.
price_version = _versions(
    "price_version",
    Column("sku", code(64), nullable=False),
    Column("price_book", code(64), nullable=False),
    Column("partner_id", Id, nullable=False),
    Column("valid_from", Day, nullable=False),
    tenant=True,
)

#: How much of an article is in one place; ``version`` is the source's sequence number.
stock_version = _versions(
    "stock_version",
    Column("sku", code(64), nullable=False),
    Column("location_code", code(64), nullable=False),
)

#: What one kind of employee is allowed in a plan year; ``grade`` "" is any.
allowance_plan = _versions(
    "allowance_plan",
    Column("program_id", Id, nullable=False),
    Column("plan_year", Integer, nullable=False),
    Column("job_code", code(64), nullable=False),
    Column("grade", code(64), nullable=False),
    also=(Column("partner_id", Id, nullable=False),),
    tenant=True,
)

#: What one outside system says of one customer; ``version`` is when it last changed it, in microseconds since 1970.
customer_version = _versions(
    "customer_version",
    Column("source", code(20), nullable=False),
    Column("customer_no", code(100), nullable=False),
    also=(
        Column("customer_id", Id, nullable=False),
        Column("partner_id", Id, nullable=False),  # HOUSE: of no partner
        Column("personal", Blob, nullable=False),  # encrypted JSON: mail and names; bound to the row's id
        Column("email_index", Digest, nullable=False),  # HMAC, for exact match
        Column("last_name_index", Digest),
        Index(None, "customer_id"),
        Index(None, "email_index"),
        Index(None, "last_name_index"),
    ),
    tenant=True,
)

#: A person, however many systems know them.
customer = table(
    "customer",
    id_column(),
    Column("partner_id", Id, nullable=False),  # HOUSE: of no partner
    Column("member_id", Id),
    Column("created_at", Microseconds, nullable=False),
    Column("changed_at", Microseconds, nullable=False),
    Index(None, "member_id"),
    Index(None, "partner_id", "id"),
)

#: Under which number a system knows a customer: one number a system.
customer_identity = table(
    "customer_identity",
    id_column(),
    Column("partner_id", Id, nullable=False),  # as the customer's
    Column("customer_id", Id, nullable=False),
    Column("system", code(20), nullable=False),
    Column("external_id", code(100), nullable=False),
    Column("created_at", Microseconds, nullable=False),
    UniqueConstraint("system", "external_id"),
    UniqueConstraint("customer_id", "system"),
)
