"""Answers of SAP and NetSuite to postings (I15)."""

from datetime import date

import pytest

from chalicelib.files.register.register import InboundFile, load
from chalicelib.files.rows import conserving
from chalicelib.points.finance import acknowledgements
from chalicelib.points.models.books import posting
from chalicelib.storage import bulk
from chalicelib.storage.ids import new_id, public_id
from tests.factories.files import Hub
from tests.factories.partners import make_partner
from tests.factories.rollbacks import roll_back
from tests.factories.shared_layouts import agree, content

LAYOUT = "erp_ack"
POSTING = new_id()


@pytest.fixture
def books(hub: Hub) -> Hub:
    """The retailer's own folder, and a posting of globex."""
    with hub.database.write() as db:
        agree(db, hub.partner.id, LAYOUT, house=True)
        values = {
            "id": POSTING,
            "partner_id": make_partner(db, "globex").id,
            "company_code": "1000",
            "doc_type": "DR",
            "posting_date": date(2026, 10, 31),
            "period": "2026-10",
            "currency": "USD",
            "decimals": 2,
            "source_type": "settlement",
            "source_id": new_id(),
            "posted_at": hub.clock(),
        }
        bulk.insert(db, posting, [values])
    return hub


def answer(**values: str) -> dict[str, str]:
    """SAP has posted it."""
    given = {
        "system": "sap",
        "posting_id": public_id("pst", POSTING),
        "company_code": "1000",
        "doc_no": "1900004711",
        "fiscal_year": "2026",
        "status": "posted",
        "posted_ts": "2026-11-21T02:10:00Z",
    }
    return given | values


def no(moment: str, **values: str) -> dict[str, str]:
    """SAP refuses it."""
    return answer(doc_no="", status="REJECTED", posted_ts=moment, **values)


def send(hub: Hub, *rows: dict[str, str], name: str = "file.csv") -> InboundFile:
    file = hub.process(LAYOUT, content(LAYOUT, *rows), name=name)
    with hub.database.read() as db:
        assert conserving.breaks(db, load(db, file.id)) == []
    return file


def state(hub: Hub, system: str = "sap") -> tuple[str, str | None] | None:
    """What a system says of the posting now."""
    with hub.database.read() as db:
        said = acknowledgements.states(db, [POSTING]).get(POSTING, {}).get(system)
    return None if said is None else (said.status, said.doc_no)


def refusals(hub: Hub) -> dict[int, tuple[str, str]]:
    return {row.row_no: (row.code, row.column_name) for row in hub.rows() if row.outcome == "rejected"}


def test_the_latest_answer_holds(books: Hub):
    send(books, no("2026-11-20T02:10:00Z", message="Period closed"))
    assert state(books) == ("REJECTED", None)

    file = send(books, answer(), answer(), no("2026-11-20T02:10:00Z", message="Period closed"), name="two.csv")

    assert (file.rows_accepted, file.rows_duplicate) == (1, 2)
    assert (state(books), state(books, "netsuite")) == (("POSTED", "1900004711"), None)


def test_an_older_answer_is_ignored(books: Hub):
    send(books, no("2026-11-20T02:10:00Z"), no("2026-11-19T02:10:00Z"))

    assert [(row.row_no, row.outcome) for row in books.rows()] == [(2, "ignored")]


def test_rows_that_cannot_be_used_are_refused_by_name(books: Hub):
    rows = (
        answer(posting_id=public_id("pst", new_id())),
        answer(posting_id="4711"),
        answer(company_code="2000"),
        answer(doc_no=""),
        answer(fiscal_year="1999"),
        answer(posted_ts="yesterday"),
        answer(system="oracle"),
        answer(),
        answer(doc_no="1900009999"),
    )

    send(books, *rows)

    assert refusals(books) == {
        1: ("unknown_posting", "posting_id"),
        2: ("unknown_posting", "posting_id"),
        3: ("other_company", "company_code"),
        4: ("missing_value", "doc_no"),
        5: ("quantity_out_of_range", "fiscal_year"),
        6: ("bad_moment", "posted_ts"),
        7: ("not_in_values", "system"),
        9: ("posted_twice", "doc_no"),
    }
    assert [row.fixable for row in books.rows()][:2] == [True, True]


def test_a_partner_answers_nothing(books: Hub):
    with books.database.write() as db:
        agree(db, books.partner.id, LAYOUT)

    assert books.process(LAYOUT, content(LAYOUT, answer())).reason_code == "not_the_house"


def test_an_answer_that_was_taken_back_is_not_given_any_more(books: Hub):
    send(books, no("2026-11-20T02:10:00Z"), name="first.csv")
    send(books, answer())

    run = roll_back(books)

    assert (run.undone, state(books)) == (1, ("REJECTED", None))
    send(books, answer(doc_no="1900009999"), name="right.csv")
    assert state(books) == ("POSTED", "1900009999")
