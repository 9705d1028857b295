"""Tables of what a program's terms bring about: scheduled grants, close-outs, requests for more, tenders."""

from sqlalchemy import Column, Index, Integer, String, UniqueConstraint

from chalicelib.points.models.asked import asked_columns
from chalicelib.storage.tables import Big, Day, Id, JsonText, Microseconds, code, id_column, seq_column, table

#: How far a program's scheduled grants have come; ``after`` continues a run that died.
grant_progress = table(
    "grant_progress",
    Column("program_id", Id, primary_key=True),
    Column("partner_id", Id, nullable=False),
    Column("through", Day),  # the last business date that was done; None: none yet
    Column("business_date", Day),  # of the run that is under way; None: none is
    Column("after", code(64), nullable=False),  # the last employee number of its last slice
    Column("changed_at", Microseconds, nullable=False),
)

#: What was done to a member's points after the last day of employment; added to whenever there is something to do.
close_out = table(
    "close_out",
    seq_column(),
    Column("id", Id, nullable=False, unique=True),
    Column("partner_id", Id, nullable=False),
    Column("program_id", Id, nullable=False),
    Column("member_id", Id, nullable=False),
    Column("account_id", Id, nullable=False),
    Column("kind", code(20), nullable=False),  # forfeiture | pay_out | claw_back
    Column("last_day", Day, nullable=False),  # of employment
    Column("accrual_event_id", Id),  # the grant of which a part is clawed back
    Column("due_minor", Big, nullable=False),  # what should have been taken
    Column("amount_minor", Big, nullable=False),  # what was
    Column("transfer_id", Id, nullable=False, unique=True),
    Column("business_date", Day, nullable=False),
    Column("actor", code(60), nullable=False),
    Column("correlation_id", code(64), nullable=False),
    Column("closed_at", Microseconds, nullable=False),
    Index(None, "account_id"),
    Index(None, "partner_id", "seq"),
)

#: More points or pieces than the program gives, asked for with a reason; a manager of the partner decides.
increase_request = table(
    "increase_request",
    *asked_columns(),  # pending | approved | refused
    Column("reason", String(500), nullable=False),
    Column("decided_on", Day),  # the program's date
    UniqueConstraint("partner_id", "reference"),
    Index(None, "account_id"),
    Index(None, "state", "partner_id"),
    Index(None, "partner_id", "seq"),
)

#: A cart that points pay as far as they go, and a card the rest.
tender = table(
    "tender",
    id_column(),
    Column("partner_id", Id, nullable=False),
    Column("program_id", Id, nullable=False),
    Column("member_id", Id, nullable=False),
    Column("account_id", Id, nullable=False),
    Column("reference", code(100), nullable=False),
    Column("order_no", code(100)),
    Column("hold_id", Id),  # None: the card pays all
    Column("currency", code(3), nullable=False),
    Column("decimals", Integer, nullable=False),  # of the currency
    Column("refund_order", code(12), nullable=False),  # points_first | points_last | pro_rata: as the program said then
    Column("points_minor", Big, nullable=False),
    Column("cash_minor", Big, nullable=False),
    Column("asked", code(64), nullable=False),  # SHA-256 of what was asked: the same reference is the same cart
    Column("business_date", Day, nullable=False),
    Column("expires_at", Microseconds),  # what is not captured by then does not count as bought; None: no end
    Column("actor", code(60), nullable=False),
    Column("correlation_id", code(64), nullable=False),
    Column("created_at", Microseconds, nullable=False),
    UniqueConstraint("program_id", "reference"),
    Index(None, "hold_id"),
    Index(None, "account_id", "business_date"),
)

#: One line of a tender. What was captured and came back is counted in pieces; the first so many of its pieces were.
tender_line = table(
    "tender_line",
    Column("tender_id", Id, primary_key=True),
    Column("line_no", Integer, primary_key=True),
    Column("partner_id", Id, nullable=False),
    Column("line", code(40), nullable=False),
    Column("sku", code(64)),
    Column("garment_group", code(40)),
    Column("quantity", Integer, nullable=False),
    Column("price_minor", Big, nullable=False),  # of the whole line, in money
    Column("points_minor", Big, nullable=False),
    Column("cash_minor", Big, nullable=False),
    Column("captured", Integer, nullable=False, default=0),
    Column("released", Integer, nullable=False, default=0),
    Column("refunded", Integer, nullable=False, default=0),
    Column("refunded_points_minor", Big, nullable=False, default=0),
    Column("refunded_cash_minor", Big, nullable=False, default=0),
    UniqueConstraint("tender_id", "line"),
)

#: A capture or a refund of a tender, by the caller's key: the same one takes effect once.
tender_step = table(
    "tender_step",
    Column("tender_id", Id, primary_key=True),
    Column("kind", code(12), primary_key=True),  # capture | refund | release
    Column("reference", code(100), primary_key=True),
    Column("partner_id", Id, nullable=False),
    Column("asked", code(64), nullable=False),
    Column("parts", JsonText, nullable=False),  # line, pieces, points and cash of each
    Column("redemption_id", Id),  # of a capture
    Column("actor", code(60), nullable=False),
    Column("at", Microseconds, nullable=False),
)
