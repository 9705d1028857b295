"""Tables of the points room: accrual events, accounts, transfers, lots and their uses, and why points were spent.

The bulk-written tables carry no foreign keys: their writers hold the account rows locked, and the proof
(``points.proof.checks``) checks what a foreign key could not.
"""

from sqlalchemy import Column, Index, Integer, String, UniqueConstraint

from chalicelib.points.models import terms  # noqa: F401 - its tables are this room's too
from chalicelib.points.models.asked import asked_columns
from chalicelib.storage.tables import Big, Day, Digest, Id, JsonText, Microseconds, code, id_column, seq_column, table

#: A member account has four counters; a house account has none (a shared counter is a hot spot): it is summed.
account = table(
    "account",
    id_column(),
    Column("partner_id", Id, nullable=False),
    Column("program_id", Id, nullable=False),
    Column("kind", code(20), nullable=False),  # member | issuance | opening | redemption | expiry | adjustment
    Column("owner_id", Id, nullable=False),  # member.id, or account_ids.HOUSE
    Column("debits_pending", Big, nullable=False, default=0),
    Column("debits_posted", Big, nullable=False, default=0),
    Column("credits_pending", Big, nullable=False, default=0),
    Column("credits_posted", Big, nullable=False, default=0),
    Column("entry_no", Big, nullable=False, default=0),  # of the latest transfer
    Column("hold_changes", Big, nullable=False, default=0),  # entry_no + hold_changes is the account's version
    Column("overdrawn_minor", Big, nullable=False, default=0),  # what reversals took that was not there any more
    Column("unearned_minor", Big, nullable=False, default=0),  # of what was posted: refunds, and accruals taken back
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
    # Of the points, what was taken back since: it does not count in a period's sums.
    Column("reversed_minor", Big, nullable=False, default=0, server_default="0"),
    # 0: the event of this id. Else its seq: the rollback of its file took it back, and its id is free again.
    Column("generation", Big, nullable=False, default=0, server_default="0"),
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
    UniqueConstraint("partner_id", "event_id", "generation"),
    Index(None, "partner_id", "seq"),
    # A period's sums read nothing else; the name by rule is too long.
    Index("ix_accrual_event_period", "account_id", "event_date", "event_type", "points_minor", "reversed_minor"),
    # Whether a back-test has looked at a program's last days is answered by this alone (``workbench.covering``).
    Index(None, "program_id", "event_date", "ruleset_version_id"),
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
    Column("version", Big, nullable=False),  # the account's, once this was posted
    Column("debit_account_id", Id, nullable=False),
    Column("credit_account_id", Id, nullable=False),
    Column("amount_minor", Big, nullable=False),  # > 0
    Column("kind", code(20), nullable=False),  # see ledger.HOUSE_OF
    Column("source_id", Id, nullable=False),  # id of the accrual_event, redemption, refund, … ; an expiry's own
    Column("business_date", Day, nullable=False),
    Column("posted_at", Microseconds, nullable=False),
    UniqueConstraint("account_id", "entry_no"),
    UniqueConstraint("source_id", "kind"),
)

#: What expires together: one per earning transfer, whose id it shares. A lot of amount 0 is an overdraft: it shares the
#: id of the reversal that took more than there was, and its remaining is what is still owed, below zero.
lot = table(
    "lot",
    id_column(),
    Column("partner_id", Id, nullable=False),
    Column("account_id", Id, nullable=False),
    Column("expires_on", Day, nullable=False),  # last day it may be spent; 9999-12-31: never
    Column("amount_minor", Big, nullable=False),
    Column("remaining_minor", Big, nullable=False),
    Column("held_minor", Big, nullable=False, default=0),  # of the remaining: what open holds cover
    Index(None, "account_id", "expires_on", "id"),
)

#: Which lots a transfer took from; negative: gave back to. Under an id that is no transfer's: an overdraft was repaid,
#: which moves points between lots of one account and adds up to nothing.
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
    Column("program_id", Id, nullable=False),
    Column("account_id", Id, nullable=False),
    Column("reference", code(100), nullable=False),  # the shop's own: the same one is held once
    Column("order_no", code(100)),
    Column("amount_minor", Big, nullable=False),
    Column("captured_minor", Big, nullable=False, default=0),
    Column("released_minor", Big, nullable=False, default=0),
    Column("state", code(12), nullable=False),  # open | captured | released | expired | lapsed
    Column("ttl_s", Integer),  # as asked; None: bound to an order
    Column("expires_at", Microseconds),  # None: bound to an order
    Column("sweep_at", Microseconds),  # expires_at while open: what the sweeper looks for
    Column("actor", code(60), nullable=False),
    Column("correlation_id", code(64), nullable=False),
    Column("created_at", Microseconds, nullable=False),
    Column("changed_at", Microseconds, nullable=False),
    UniqueConstraint("program_id", "reference"),
    Index(None, "account_id"),
    Index(None, "sweep_at"),
)

#: Which lots a hold covers, and how much of that is still covered.
hold_lot = table(
    "hold_lot",
    Column("hold_id", Id, primary_key=True),
    Column("lot_id", Id, primary_key=True),
    Column("partner_id", Id, nullable=False),
    Column("amount_minor", Big, nullable=False),
    Column("captured_minor", Big, nullable=False, default=0),
    Column("released_minor", Big, nullable=False, default=0),
    Index(None, "lot_id"),
)

#: Points spent, at once or by capturing a hold. Immutable: what was refunded is on its lines.
redemption = table(
    "redemption",
    seq_column(),
    Column("id", Id, nullable=False, unique=True),
    Column("partner_id", Id, nullable=False),
    Column("program_id", Id, nullable=False),
    Column("account_id", Id, nullable=False),
    Column("within_id", Id, nullable=False),  # the hold that it captures, else the program: where its key is unique
    Column("reference", code(100), nullable=False),  # the capture's key, or the shop's own of a one-shot redemption
    Column("hold_id", Id),
    Column("order_no", code(100)),
    Column("transfer_id", Id, nullable=False, unique=True),
    Column("amount_minor", Big, nullable=False),
    Column("business_date", Day, nullable=False),
    Column("actor", code(60), nullable=False),
    Column("correlation_id", code(64), nullable=False),
    Column("redeemed_at", Microseconds, nullable=False),
    UniqueConstraint("within_id", "reference"),
    Index(None, "account_id", "seq"),
    Index(None, "partner_id", "order_no"),
    Index(None, "partner_id", "seq"),
)

#: What was bought: a redemption's lines lie over its lots in their order.
redemption_line = table(
    "redemption_line",
    Column("redemption_id", Id, primary_key=True),
    Column("line_no", Integer, primary_key=True),  # 1, 2, 3, … in the order given
    Column("partner_id", Id, nullable=False),
    Column("line", code(40), nullable=False),  # the shop's own name of it
    Column("amount_minor", Big, nullable=False),
    Column("refunded_minor", Big, nullable=False, default=0),
    UniqueConstraint("redemption_id", "line"),
)

refund = table(
    "refund",
    id_column(),
    Column("partner_id", Id, nullable=False),
    Column("redemption_id", Id, nullable=False),
    Column("reference", code(100), nullable=False),
    Column("transfer_id", Id, nullable=False, unique=True),
    Column("amount_minor", Big, nullable=False),
    Column("reason", String(200)),
    Column("business_date", Day, nullable=False),
    Column("actor", code(60), nullable=False),
    Column("correlation_id", code(64), nullable=False),
    Column("refunded_at", Microseconds, nullable=False),
    UniqueConstraint("redemption_id", "reference"),
)

refund_line = table(
    "refund_line",
    Column("refund_id", Id, primary_key=True),
    Column("redemption_id", Id, primary_key=True),
    Column("line_no", Integer, primary_key=True),
    Column("partner_id", Id, nullable=False),
    Column("amount_minor", Big, nullable=False),
    Index(None, "redemption_id", "line_no"),
)

#: Points given or taken by a person's decision. Pending until a second person agrees, where the program wants one.
adjustment = table(
    "adjustment",
    *asked_columns(),  # pending | posted | rejected | withdrawn; amount below zero: taken
    Column("reason_code", code(40), nullable=False),
    Column("comment", String(500)),
    Column("generation", Big, nullable=False, default=0, server_default="0"),  # as an accrual event's
    Column("effective_date", Day),  # what its expiry is counted from; None: the day on which it is posted
    Column("requested_by", String(60)),  # who asked for it, as a file says
    Column("approved_by", String(60)),  # who agreed, as a file says
    Column("source_file_id", Id),
    Column("row_no", Integer),
    Column("byte_offset", Big),
    Column("byte_length", Integer),
    UniqueConstraint("partner_id", "reference", "generation"),
    Index(None, "account_id"),
    Index(None, "state", "partner_id"),
    Index(None, "source_file_id", "row_no"),
    Index(None, "source_file_id", "seq"),
)

#: Points that a member had before the hub kept them: brought over once, under the number that the old system gave.
opening_balance = table(
    "opening_balance",
    seq_column(),
    Column("id", Id, nullable=False, unique=True),
    Column("partner_id", Id, nullable=False),
    Column("program_id", Id, nullable=False),
    Column("member_id", Id, nullable=False),
    Column("account_id", Id, nullable=False),
    Column("legacy_ref", code(100), nullable=False),
    Column("amount_minor", Big, nullable=False),  # > 0
    Column("as_of", Day, nullable=False),
    Column("lot_expiry", Day),  # as given; None: counted from as_of by the program
    Column("generation", Big, nullable=False, default=0, server_default="0"),  # as an accrual event's
    Column("source_file_id", Id),
    Column("row_no", Integer),
    Column("byte_offset", Big),
    Column("byte_length", Integer),
    Column("actor", code(60), nullable=False),
    Column("correlation_id", code(64), nullable=False),
    Column("recorded_at", Microseconds, nullable=False),
    UniqueConstraint("account_id", "legacy_ref", "generation"),
    Index(None, "source_file_id", "row_no"),
    Index(None, "source_file_id", "seq"),
)

#: A balance brought over or an adjustment that was taken back with its file: amount = recovered + overdrawn + lost +
#: expired, of what was posted for it. Below zero: it had taken points, which were given back. Zero: nothing was posted.
annulment = table(
    "annulment",
    seq_column(),
    Column("id", Id, nullable=False, unique=True),
    Column("partner_id", Id, nullable=False),
    Column("program_id", Id, nullable=False),
    Column("account_id", Id, nullable=False),
    Column("kind", code(20), nullable=False),  # opening_annulled | adjustment_annulled: its transfer's too
    Column("cause_id", Id, nullable=False, unique=True),  # the opening_balance or adjustment
    Column("transfer_id", Id),  # None: nothing had been posted, or nothing could be taken
    Column("amount_minor", Big, nullable=False),
    Column("recovered_minor", Big, nullable=False),  # taken from lots
    Column("overdrawn_minor", Big, nullable=False),  # owed: later earnings repay it
    Column("lost_minor", Big, nullable=False),  # spent, and given up by the program's policy
    Column("expired_minor", Big, nullable=False),  # had expired, so the member never had it
    Column("policy", code(12), nullable=False),  # refuse | partial | overdraft
    Column("reason", String(500), nullable=False),
    Column("business_date", Day, nullable=False),
    Column("source_file_id", Id),  # the file that was rolled back
    Column("actor", code(60), nullable=False),
    Column("correlation_id", code(64), nullable=False),
    Column("annulled_at", Microseconds, nullable=False),
    Index(None, "account_id"),
)

#: Points of an accrual taken back: amount = recovered + overdrawn + lost + expired. Below zero: given back again,
#: because what had taken them was itself taken back.
reversal = table(
    "reversal",
    seq_column(),
    Column("id", Id, nullable=False, unique=True),
    Column("partner_id", Id, nullable=False),
    Column("program_id", Id, nullable=False),
    Column("account_id", Id, nullable=False),
    Column("accrual_event_id", Id, nullable=False),
    Column("part", Integer, nullable=False),  # 1, 2, 3, … of one event, given under its account's row lock
    Column("cause", code(12), nullable=False),  # request | correction | rollback | reprocess
    Column("undoes_id", Id, unique=True),  # the reversal that this one gives back
    Column("transfer_id", Id),  # None: nothing could be taken
    Column("amount_minor", Big, nullable=False),  # of what the event had earned
    Column("recovered_minor", Big, nullable=False),  # taken from lots
    Column("overdrawn_minor", Big, nullable=False),  # owed: later earnings repay it
    Column("lost_minor", Big, nullable=False),  # spent, and given up by the program's policy
    Column("expired_minor", Big, nullable=False),  # had expired, so the member never had it
    Column("policy", code(12), nullable=False),  # refuse | partial | overdraft
    Column("reason", String(500), nullable=False),
    Column("business_date", Day, nullable=False),
    # A correction is an event of its own: its id, what it says, and where it came from.
    Column("event_id", code(100)),
    Column("content_hash", Digest),
    Column("generation", Big, nullable=False, default=0),  # as an accrual event's
    Column("facts", JsonText),  # the quantity that is left, and what the original earns with it
    Column("source_file_id", Id),  # of a correction: its file; of a rollback: the file that was rolled back
    Column("row_no", Integer),
    Column("byte_offset", Big),
    Column("byte_length", Integer),
    Column("actor", code(60), nullable=False),
    Column("correlation_id", code(64), nullable=False),
    Column("reversed_at", Microseconds, nullable=False),
    UniqueConstraint("accrual_event_id", "part"),
    UniqueConstraint("partner_id", "event_id", "generation"),
    Index(None, "account_id"),
    Index(None, "source_file_id", "row_no"),
)

#: Points that a reversal or an annulment had given up as spent, taken after all when what was bought came back. Below
#: zero: returned, because the reversal itself was given back. Immutable.
loss_recovery = table(
    "loss_recovery",
    seq_column(),
    Column("id", Id, nullable=False, unique=True),
    Column("partner_id", Id, nullable=False),
    Column("program_id", Id, nullable=False),
    Column("account_id", Id, nullable=False),
    Column("kind", code(20), nullable=False),  # reversal | opening_annulled | adjustment_annulled: its transfer's too
    Column("of_id", Id, nullable=False),  # the reversal or annulment that lost them
    Column("because_id", Id, nullable=False),  # the refund, annulment or reversal that brought spent points back
    Column("transfer_id", Id, nullable=False, unique=True),
    Column("amount_minor", Big, nullable=False),
    Column("business_date", Day, nullable=False),
    Column("actor", code(60), nullable=False),
    Column("correlation_id", code(64), nullable=False),
    Column("recovered_at", Microseconds, nullable=False),
    Index(None, "account_id"),
    Index(None, "of_id"),
)

#: One block of the hash chain over what never changes of the ledger: the rows of one stream between two keys.
#: Which rows, and the hash of each, is in an object of the archive bucket. Never changed, only added to.
ledger_checkpoint = table(
    "ledger_checkpoint",
    Column("number", Big, primary_key=True, autoincrement=False),  # 1, 2, 3, …
    Column("stream", code(40), nullable=False),  # see points.sealed
    Column("late_of", Big),  # rows that were committed after the block of this number, between its keys
    Column("after_key", Id, nullable=False),  # exclusive
    Column("until_key", Id, nullable=False),  # inclusive
    Column("rows", Integer, nullable=False),
    Column("content_hash", Digest, nullable=False),  # of the object, which names the rows and their hashes
    Column("previous_hash", Digest, nullable=False),  # chain_hash of the block before it
    Column("chain_hash", Digest, nullable=False),  # of all of the above
    Column("key_no", Integer, nullable=False),
    Column("signature", Digest, nullable=False),  # of the chain_hash
    Column("made_at", Microseconds, nullable=False),
    Index(None, "stream", "number"),
    Index(None, "late_of"),
    tenant=False,
)
