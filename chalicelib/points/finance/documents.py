"""Documents of the books: a settlement's invoice, and what it did to the liability. Debits are credits in each of them.

Each document is in one currency. Amounts are positive: what is below zero goes to the other side. Nothing is rounded
here: the lines of a settlement add up already.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from sqlalchemy import bindparam, select
from sqlalchemy.engine import Connection

from chalicelib.errors import Broken, Unprocessable
from chalicelib.partners.programs.finance_terms import Accounts, SettlementTerms
from chalicelib.points.finance.figures import Line
from chalicelib.points.models.books import posting, posting_line
from chalicelib.records import dataclass
from chalicelib.storage import bulk
from chalicelib.storage.ids import new_id

Side: TypeAlias = Literal["D", "C"]
Source: TypeAlias = Literal["settlement", "liability"]

_OTHER: Final[dict[Side, Side]] = {"D": "C", "C": "D"}


class AccountMissing(Unprocessable):
    """There is an amount to be posted, and the manifest's settlement names no account for it."""

    code = "settlement_account_missing"


class Item(NamedTuple):
    """One line of a document: an amount above zero on one side of an account."""

    gl_account: str
    side: Side
    amount_minor: int
    assignment: str
    text: str


@dataclass(frozen=True, slots=True)
class Document:
    """One document with its lines; ``source_id`` is the settlement that it posts."""

    id: bytes
    company_code: str
    doc_type: str
    posting_date: date
    period: str
    currency: str
    decimals: int
    source_type: Source
    source_id: bytes
    items: tuple[Item, ...]

    @property
    def difference_minor(self) -> int:
        """Debits less credits."""
        return sum(each.amount_minor if each.side == "D" else -each.amount_minor for each in self.items)


def of(
    lines: Sequence[Line], terms: SettlementTerms, *, source_id: bytes, period: str, reference: str, posting_date: date
) -> list[Document]:
    """The documents of a settlement: an invoice for each currency, and, where accounts are named, its liability.

    Raises AccountMissing, and Broken should one not balance.
    """
    made = []
    by_currency: dict[tuple[str, int], list[Line]] = defaultdict(list)
    for line in lines:
        by_currency[line.currency, line.decimals].append(line)
    for (currency, decimals), own in sorted(by_currency.items()):
        kinds: list[tuple[Source, str, list[Item]]] = [
            ("settlement", terms.doc_type, _invoice(own, terms.accounts, reference))
        ]
        if terms.accounts.liability is not None:
            kinds.append(("liability", terms.liability_doc_type, _liability(own, terms.accounts)))
        for source_type, doc_type, items in kinds:
            if not items:
                continue
            document = Document(
                id=new_id(),
                company_code=terms.company_code,
                doc_type=doc_type,
                posting_date=posting_date,
                period=period,
                currency=currency,
                decimals=decimals,
                source_type=source_type,
                source_id=source_id,
                items=tuple(items),
            )
            if document.difference_minor:
                raise Broken(f"A document of the settlement {reference} does not balance.")
            made.append(document)
    return made


def write(
    db: Connection, documents: Sequence[Document], terms: SettlementTerms, *, partner_id: bytes, now: datetime
) -> None:
    """Keep documents with their lines."""
    names = ("id", "company_code", "doc_type", "posting_date", "period", "currency", "decimals", "source_type",
             "source_id")  # fmt: skip
    bulk.insert(
        db,
        posting,
        [
            {**{name: getattr(each, name) for name in names}, "partner_id": partner_id, "posted_at": now}
            for each in documents
        ],
    )
    rows = [
        {
            "posting_id": each.id,
            "line_no": number,
            "partner_id": partner_id,
            "gl_account": item.gl_account,
            "cost_center": terms.cost_center,
            "profit_center": terms.profit_center,
            "dr_cr": item.side,
            "amount_minor": item.amount_minor,
            "assignment": item.assignment,
            "text": item.text[:50],
        }
        for each in documents
        for number, item in enumerate(each.items, start=1)
    ]
    bulk.insert(db, posting_line, rows)


def of_settlement(db: Connection, settlement_id: bytes) -> list[Document]:
    """The documents that a settlement posted."""
    found: dict[bytes, dict[str, Any]] = {}
    items: dict[bytes, list[Item]] = defaultdict(list)
    for row in db.execute(_OF_SETTLEMENT, {"id": settlement_id}).mappings():
        found[row["id"]] = {name: row[name] for name in Document.__slots__ if name != "items"}
        items[row["id"]].append(
            Item(row["gl_account"], row["dr_cr"], row["amount_minor"], row["assignment"], row["text"])
        )
    return [Document(**columns, items=tuple(items[key])) for key, columns in found.items()]


def _invoice(lines: Sequence[Line], accounts: Accounts, reference: str) -> list[Item]:
    items = list(_item(accounts.receivable, "D", sum(line.total_minor for line in lines), reference, "Settlement"))
    for line in lines:
        items += _item(accounts.revenue, "C", line.value_minor, line.program_code, "Redemptions less refunds")
        items += _item(accounts.fees, "C", line.fees_minor, line.program_code, "Fees")
        items += _item(accounts.tax, "C", line.tax_minor, line.program_code, "Tax")
    return items


def _liability(lines: Sequence[Line], accounts: Accounts) -> list[Item]:
    items: list[Item] = []
    revaluation = accounts.revaluation or accounts.expense
    for line in lines:
        for debit, credit, amount_minor, text in (
            (accounts.expense, accounts.liability, line.given_value_minor, "Points given"),
            (accounts.brought_over, accounts.liability, line.brought_value_minor, "Points brought over"),
            (accounts.liability, accounts.expense, line.value_minor, "Points redeemed"),
            (accounts.liability, accounts.breakage, line.lapsed_value_minor, "Breakage"),
            (accounts.liability, accounts.paid_out, line.paid_out_value_minor, "Points paid out"),
            (revaluation, accounts.liability, line.revaluation_minor, "Revaluation"),
        ):
            items += _item(debit, "D", amount_minor, line.program_code, text)
            items += _item(credit, "C", amount_minor, line.program_code, text)
    return items


def _item(account: str | None, side: Side, amount_minor: int, assignment: str, text: str) -> Iterator[Item]:
    """The line of an amount, on the other side when it is below zero; none of nothing."""
    if not amount_minor:
        return
    if account is None:
        raise AccountMissing(
            f"{assignment} has an amount to post as {text!r}, and the manifest names no account for it."
        )
    yield Item(account, side if amount_minor > 0 else _OTHER[side], abs(amount_minor), assignment, text)


_OF_SETTLEMENT: Final = (
    select(posting, posting_line)
    .join(posting_line, posting_line.c.posting_id == posting.c.id)
    .where(posting.c.source_id == bindparam("id"))
    .order_by(posting.c.seq, posting_line.c.line_no)
)
