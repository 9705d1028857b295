"""Tables of the points room: accrual events, accounts, transfers, lots, lot uses, holds.

The bulk-written tables carry no foreign keys: their writers hold the account rows locked, and the proof
(``points.proof``) checks what a foreign key could not.
"""

from sqlalchemy import Column, Index, Integer, UniqueConstraint

from chalicelib.storage.tables import Big, Day, Digest, Id, JsonText, Microseconds, code, id_column, seq_column, table

#: A member account has four counters; a house account has none (a shared counter is a hot spot): it is summed.
account = table(
    "account",
    id_column(),
    Column("partner_id", Id, nullable=False),
    Column("program_id", Id, nullable=False),
    Column("kind", code(20), nullable=False),  # member | issuance | redemption | expiry | adjustment
    Column("owner_id", Id, nullable=False),  # member.id, or account_ids.HOUSE
    Column("debits_pending", Big, nullable=False, default=0),
    Column("debits_posted", Big, nullable=False, default=0),
    Column("credits_pending", Big, nullable=False, default=0),
    Column("credits_posted", Big, nullable=False, default=0),
    Column("entry_no", Big, nullable=False, default=0),  # of the latest transfer; the account's version
    Column("created_at", Microseconds, nullable=False),
    Column("changed_at", Microseconds, nullable=False),
    UniqueConstraint("program_id", "kind", "owner_id"),
    Index(None, "owner_id"),
    Index(None, "partner_id", "kind"),
)

#: Why points moved: one event of a partner, the facts it was decided by, and what it earned.
accrual_event = table(
    "accrual_event",
    seq_column(),
    Column("id", Id, nullable=False, unique=True),
    Column("partner_id", Id, nullable=False),
    Column("event_id", code(100), nullable=False),
    Column("content_hash", Digest, nullable=False),
    Column("program_id", Id, nullable=False),
    Column("member_id", Id, nullable=False),
    Column("account_id", Id, nullable=False),
    Column("event_type", code(20), nullable=False),
    Column("event_date", Day, nullable=False),
    Column("outcome", code(12), nullable=False),  # posted | no_points
    Column("points_minor", Big, nullable=False),
    Column("ruleset_version_id", Id, nullable=False),
    Column(
        "facts", JsonText, nullable=False
    ),  # typed inputs, aggregates and look-ups that decided it; nothing personal
    Column("source_file_id", Id),  # None: came by API
    Column("row_no", Integer),
    Column("byte_offset", Big),
    Column("byte_length", Integer),
    Column("actor", code(60), nullable=False),  # key_… or system:files
    Column("correlation_id", code(64), nullable=False),
    Column("received_at", Microseconds, nullable=False),
    UniqueConstraint("partner_id", "event_id"),
    Index(None, "partner_id", "seq"),
    Index(None, "account_id", "event_date", "points_minor"),  # a period's sum reads nothing else
    Index(None, "source_file_id", "row_no"),
)

#: One immutable movement between two accounts; it balances by construction.
transfer = table(
    "transfer",
    seq_column(),
    Column("id", Id, nullable=False, unique=True),
    Column("partner_id", Id, nullable=False),
    Column("program_id", Id, nullable=False),
    Column("account_id", Id, nullable=False),  # the member account, one of the two below
    Column("entry_no", Big, nullable=False),  # given under the account's row lock: 1, 2, 3, … without gaps
    Column("debit_account_id", Id, nullable=False),
    Column("credit_account_id", Id, nullable=False),
    Column("amount_minor", Big, nullable=False),  # > 0
    Column("kind", code(20), nullable=False),  # accrual | redemption | expiry | adjustment | reversal
    Column("source_id", Id, nullable=False),  # accrual_event.id, redemption id, …
    Column("business_date", Day, nullable=False),
    Column("posted_at", Microseconds, nullable=False),
    UniqueConstraint("account_id", "entry_no"),
    UniqueConstraint("source_id", "kind"),
)

#: What expires together: one per earning transfer, whose id it shares.
lot = table(
    "lot",
    id_column(),
    Column("partner_id", Id, nullable=False),
    Column("account_id", Id, nullable=False),
    Column("expires_on", Day, nullable=False),  # last day it may be spent; 9999-12-31: never
    Column("amount_minor", Big, nullable=False),
    Column("remaining_minor", Big, nullable=False),
    Index(None, "account_id", "expires_on", "id"),
)

#: Which lots a spending transfer took.
lot_use = table(
    "lot_use",
    Column("transfer_id", Id, primary_key=True),
    Column("lot_id", Id, primary_key=True),
    Column("partner_id", Id, nullable=False),
    Column("amount_minor", Big, nullable=False),
    Index(None, "lot_id"),
)

#: Points reserved but not spent.
hold = table(
    "hold",
    id_column(),
    Column("partner_id", Id, nullable=False),
    Column("account_id", Id, nullable=False),
    Column("amount_minor", Big, nullable=False),
    Column("captured_minor", Big, nullable=False, default=0),
    Column("released_minor", Big, nullable=False, default=0),
    Column("expires_at", Microseconds),  # None: bound to an order
    Column("created_at", Microseconds, nullable=False),
    Column("changed_at", Microseconds, nullable=False),
    Index(None, "account_id"),
)
