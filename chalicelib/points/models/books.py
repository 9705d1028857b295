"""Tables of the books: how debts were repaid, closed plan years, settlements and their postings.

Rows say what was found and done at one moment, and are only ever added. What may change is the progress of work that is
under way: of a plan year until it is closed, of a settlement until it is made.
"""

from sqlalchemy import Column, Index, Integer, String, UniqueConstraint

from chalicelib.storage.tables import Big, Day, Id, JsonText, Microseconds, code, id_column, seq_column, table

#: When points of an account repaid an overdraft. The id is that of the uses in ``lot_use``, which are no transfer's.
overdraft_repayment = table(
    "overdraft_repayment",
    id_column(),
    Column("partner_id", Id, nullable=False),
    Column("account_id", Id, nullable=False),
    Column("amount_minor", Big, nullable=False),
    Column("business_date", Day, nullable=False),
    Column("repaid_at", Microseconds, nullable=False),
    Index(None, "account_id", "repaid_at"),
)

#: The end of one plan year of one program. Amounts are sums over its members, who follow each other by their ids.
plan_year_close = table(
    "plan_year_close",
    id_column(),
    Column("partner_id", Id, nullable=False),
    Column("program_id", Id, nullable=False),
    Column("plan_year", Integer, nullable=False),
    Column("state", code(12), nullable=False),  # running | done
    Column("rules", JsonText, nullable=False),  # terms.plan_year as it was when the close began
    Column("grant_rules", JsonText),  # and of terms.grants, the one that begins the new year; None: none does
    Column("checkpoint", Id, nullable=False),  # the last member done; HOUSE: none yet
    Column("members", Big, nullable=False, default=0),
    Column("before_minor", Big, nullable=False, default=0),
    Column("carried_minor", Big, nullable=False, default=0),
    Column("held_minor", Big, nullable=False, default=0),  # of what was carried: covered by holds
    Column("forfeited_minor", Big, nullable=False, default=0),
    Column("grants", Big, nullable=False, default=0),
    Column("granted_minor", Big, nullable=False, default=0),
    Column("grants_refused", Big, nullable=False, default=0),
    Column("actor", code(60), nullable=False),
    Column("correlation_id", code(64), nullable=False),
    Column("created_at", Microseconds, nullable=False),
    Column("changed_at", Microseconds, nullable=False),
    Column("finished_at", Microseconds),
    UniqueConstraint("program_id", "plan_year"),
    Index(None, "state"),
)

#: What became of one member's points at the end of a plan year: before = carried + forfeited.
plan_year_member = table(
    "plan_year_member",
    id_column(),
    Column("partner_id", Id, nullable=False),
    Column("close_id", Id, nullable=False),
    Column("member_id", Id, nullable=False),
    Column("account_id", Id, nullable=False),
    Column("first_day", Day, nullable=False),
    Column("last_day", Day, nullable=False),
    Column("before_minor", Big, nullable=False),
    Column("carried_minor", Big, nullable=False),
    Column("held_minor", Big, nullable=False),
    Column("forfeited_minor", Big, nullable=False),
    Column("moved_minor", Big, nullable=False),  # of what was carried: into a lot with a last day of its own
    Column("carried_until", Day),  # that last day; None: nothing moved
    Column("grant_event", code(100)),  # the id of the event that begins the new year; None: none was made
    Column("granted_minor", Big, nullable=False),
    Column("grant_refused", code(60)),  # why the rule refused it
    Column("closed_at", Microseconds, nullable=False),
    UniqueConstraint("close_id", "member_id"),
    Index(None, "account_id"),
)

#: The way to a partner's settlement, which names entries slice by slice, in the order of accounts. Progress of work.
settlement_run = table(
    "settlement_run",
    id_column(),
    Column("partner_id", Id, nullable=False),
    Column("period", code(7), nullable=False),  # 2026-10
    Column("part", Integer, nullable=False),  # that of the settlement that it makes
    Column("of_id", Id),  # the run whose entries it names again, since its settlement was taken back
    Column("until", Microseconds, nullable=False),  # the moment at which the period ended
    Column("state", code(12), nullable=False),  # running | done
    Column("checkpoint", Id, nullable=False),  # the last account looked at; HOUSE: none yet
    Column("entries", Big, nullable=False, default=0),  # transfers that it names
    Column("actor", code(60), nullable=False),
    Column("correlation_id", code(64), nullable=False),
    Column("created_at", Microseconds, nullable=False),
    Column("changed_at", Microseconds, nullable=False),
    Column("finished_at", Microseconds),
    UniqueConstraint("partner_id", "period", "part"),
    Index(None, "state"),
)

#: A partner's period as it was invoiced, or an earlier settlement taken back by a counter-document. Immutable.
settlement = table(
    "settlement",
    seq_column(),
    Column("id", Id, nullable=False, unique=True),
    Column("partner_id", Id, nullable=False),
    Column("period", code(7), nullable=False),  # 2026-10
    Column("part", Integer, nullable=False),  # 1, 2, 3, …: every document of the period, counter-documents too
    Column("kind", code(12), nullable=False),  # settlement | reversal
    Column("run_id", Id, unique=True),  # which named its entries; None: a counter-document
    Column("reverses_id", Id, unique=True),  # the settlement that a counter-document takes back
    Column("terms", JsonText, nullable=False),  # the manifest's settlement as it was
    Column("first_day", Day, nullable=False),
    Column("last_day", Day, nullable=False),
    Column("until", Microseconds, nullable=False),  # the moment at which the period ended
    Column("entries", Big, nullable=False),  # transfers that it names
    Column("reason", String(500)),
    Column("actor", code(60), nullable=False),
    Column("correlation_id", code(64), nullable=False),
    Column("settled_at", Microseconds, nullable=False),
    UniqueConstraint("partner_id", "period", "part"),
)

#: Which entries of which account a settlement is about, by their numbers, which have no gaps. The id of the slice that
#: found them is made in its transaction, which the chain of hashes goes by.
settlement_range = table(
    "settlement_range",
    Column("slice_id", Id, primary_key=True),
    Column("account_id", Id, primary_key=True),
    Column("run_id", Id, nullable=False),
    Column("partner_id", Id, nullable=False),
    Column("program_id", Id, nullable=False),
    Column("first_entry_no", Big, nullable=False),
    Column("last_entry_no", Big, nullable=False),
    Index(None, "account_id", "last_entry_no"),
    Index(None, "run_id", "account_id"),
)

#: What the entries that a slice named amount to: points by what they are to the books, and the day of their value.
settlement_sum = table(
    "settlement_sum",
    Column("slice_id", Id, primary_key=True),
    Column("program_id", Id, primary_key=True),
    Column("movement", code(12), primary_key=True),  # see points.finance.ranges
    Column("valued_on", Day, primary_key=True),
    Column("run_id", Id, nullable=False),
    Column("partner_id", Id, nullable=False),
    Column("points_minor", Big, nullable=False),
    Index(None, "run_id"),
)

#: One program's share of a settlement. Points are minor units of the program, money minor units of the currency.
settlement_line = table(
    "settlement_line",
    Column("settlement_id", Id, primary_key=True),
    Column("program_id", Id, primary_key=True),
    Column("partner_id", Id, nullable=False),
    Column("program_code", code(40), nullable=False),
    Column("unit", code(20), nullable=False),
    Column("scale", Integer, nullable=False),
    Column("currency", code(3), nullable=False),
    Column("decimals", Integer, nullable=False),
    Column("redeemed_minor", Big, nullable=False),
    Column("refunded_minor", Big, nullable=False),
    Column("given_minor", Big, nullable=False),  # accrued, granted and adjusted, less taken back
    Column("brought_minor", Big, nullable=False),  # opening balances, less those taken back
    Column("lapsed_minor", Big, nullable=False),  # expired and forfeited: breakage
    Column("paid_out_minor", Big, nullable=False),  # to members who left
    Column("value_minor", Big, nullable=False),  # of redeemed less refunded
    Column("given_value_minor", Big, nullable=False),
    Column("brought_value_minor", Big, nullable=False),
    Column("lapsed_value_minor", Big, nullable=False),
    Column("paid_out_value_minor", Big, nullable=False),
    Column("revaluation_minor", Big, nullable=False),  # what makes the liability what is left is worth on the last day
    Column("closing_minor", Big, nullable=False),  # points that are left of all entries named so far
    Column("closing_value_minor", Big, nullable=False),  # the liability in the books after this document
    Column("fees_minor", Big, nullable=False),
    Column("tax_minor", Big, nullable=False),
    Column("total_minor", Big, nullable=False),
    Column("ledger_minor", Big, nullable=False),  # redeemed less refunded, of all entries up to the period's end
    Column("settled_minor", Big, nullable=False),  # the same, of all documents up to this one
)

#: A document of the books, with lines that balance. Immutable: it is corrected by a counter-document.
posting = table(
    "posting",
    seq_column(),
    Column("id", Id, nullable=False, unique=True),
    Column("partner_id", Id, nullable=False),
    Column("company_code", code(4), nullable=False),
    Column("doc_type", code(2), nullable=False),
    Column("posting_date", Day, nullable=False),
    Column("period", code(7), nullable=False),
    Column("currency", code(3), nullable=False),
    Column("decimals", Integer, nullable=False),
    Column("source_type", code(20), nullable=False),  # settlement | liability
    Column("source_id", Id, nullable=False),  # the settlement
    Column("posted_at", Microseconds, nullable=False),
    UniqueConstraint("source_id", "source_type", "currency"),
    Index(None, "partner_id", "seq"),
    Index(None, "posted_at"),
)

posting_line = table(
    "posting_line",
    Column("posting_id", Id, primary_key=True),
    Column("line_no", Integer, primary_key=True),  # 1, 2, 3, …
    Column("partner_id", Id, nullable=False),
    Column("gl_account", code(10), nullable=False),
    Column("cost_center", code(10)),
    Column("profit_center", code(10)),
    Column("dr_cr", code(1), nullable=False),  # D | C
    Column("amount_minor", Big, nullable=False),  # > 0
    Column("assignment", code(40), nullable=False),  # the program
    Column("text", String(50), nullable=False),
)
