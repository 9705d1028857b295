"""O4: lines of orders, for NetSuite."""

import json
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select, update

from chalicelib.documents.models import document, document_version
from chalicelib.files.erasure import erasing_objects
from chalicelib.files.exporting import jobs, running
from chalicelib.files.exports import netsuite_orders
from chalicelib.partners.members.erasing import Sought
from chalicelib.partners.models.partners import partner as partner_table
from chalicelib.storage import objects
from chalicelib.storage.ids import public_id
from tests.factories import exports
from tests.factories.exports import NOW, Sent
from tests.factories.files import Hub
from tests.factories.partners import make_partner
from tests.factories.shared_layouts import agree, content

NAME = "netsuite_orders"
SETTLED = {"company_code": "1000", "accounts": {"receivable": "140000", "revenue": "800000"}}


def line(line_no: int, number: str = "W-1", revision: int = 1, **values: str) -> dict[str, str]:
    """A line of a web order."""
    given = {
        "channel": "web",
        "order_no": number,
        "revision": str(revision),
        "order_ts": "2026-11-20T23:30:00Z",
        "customer_no": "00012345",
        "currency": "EUR",
        "line_no": str(line_no),
        "sku": f"SHIRT-{line_no}",
        "qty": "2",
        "unit_price": "19.90",
        "ship_to_postal": "D02 X285",
        "status": "new",
    }
    return given | values


@pytest.fixture
def shop(hub: Hub) -> Hub:
    """acme sends orders of its own store."""
    with hub.database.write() as db:
        agree(db, hub.partner.id, "orders")
    return hub


def send(hub: Hub, *rows: dict[str, str], name: str = "orders.csv") -> None:
    assert hub.process("orders", content("orders", *rows), name=name).state == "processed"


def written(hub: Hub, mode: Any = "full", **more: Any) -> Sent:
    return exports.write(hub.database, NAME, mode=mode, **more)


def delta(hub: Hub, **more: Any) -> list[tuple[str, int, int]]:
    """Number, revision and line of each row of the next delta."""
    return [(row["memo"], row["revision"], row["line_no"]) for row in written(hub, "delta", **more).rows]


def terms(hub: Hub, partner_id: bytes, **more: Any) -> None:
    """What a manifest says, beside the layouts that it lists."""
    own = partner_table.c.id == partner_id
    with hub.database.write() as db:
        text = db.execute(select(partner_table.c.manifest).where(own)).scalar_one()
        manifest = json.dumps(json.loads(text or "{}") | more)
        db.execute(update(partner_table).where(own).values(manifest=manifest))


class TestTheFullFile:
    def test_has_every_line_with_what_is_said_of_the_order(self, shop: Hub):
        send(shop, line(2), line(1, discount="2.00", points_tendered="32.5"))

        sent = written(shop)

        with shop.database.read() as db:
            order_id = db.execute(select(document.c.id)).scalar_one()
        common = {
            "external_id": public_id("ord", order_id),
            "revision": 1,
            "status": "new",
            "tran_date": date(2026, 11, 20),
            "entity": "00012345",
            "subsidiary": None,
            "quantity": 2,
            "rate": Decimal("19.90"),
            "currency": "EUR",
            "location": "web",
            "memo": "W-1",
            "related_quote": None,
        }
        amounts = {"amount": Decimal("37.80"), "points_amount": Decimal("32.5")}
        assert sent.rows == [
            {**common, "line_no": 1, "item": "SHIRT-1", **amounts},
            {**common, "line_no": 2, "item": "SHIRT-2", "amount": Decimal("39.80"), "points_amount": None},
        ]
        assert sent.file.object_key == f"_netsuite/{NAME}/{NAME}_2026-11-20_00000001.csv"
        assert sent.file.control_sum == 4_000_000

    def test_says_nothing_personal(self, shop: Hub):
        send(shop, line(1))
        with shop.database.read() as db:
            assert db.execute(select(document_version.c.personal)).scalar_one() is not None

        key = written(shop).file.object_key or ""

        found = b"".join(objects.stream(running.bucket(), key))
        assert b"SHIRT-1" in found
        assert b"X285" not in found

    def test_dates_an_order_by_the_days_of_its_sender(self, shop: Hub):
        with shop.database.write() as db:
            own = partner_table.c.id == shop.partner.id
            db.execute(update(partner_table).where(own).values(time_zone="Europe/Berlin"))
        send(shop, line(1))

        assert [row["tran_date"] for row in written(shop).rows] == [date(2026, 11, 21)]

    def test_leaves_out_an_order_of_which_a_row_was_rejected(self, shop: Hub):
        send(shop, line(1), line(2, unit_price="x"), line(1, "W-2"))

        assert [row["memo"] for row in written(shop).rows] == ["W-2"]

    def test_has_the_newest_revision_whatever_came_last(self, shop: Hub):
        send(shop, line(1, revision=2, status="cancelled"))
        send(shop, line(1, revision=1), line(2, revision=1), name="late.csv")

        assert [(row["revision"], row["status"]) for row in written(shop).rows] == [(2, "cancelled")]

    def test_has_orders_of_more_than_one_read(self, shop: Hub, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(netsuite_orders, "_ORDERS", 2)
        send(shop, *(line(number, f"W-{order}") for order in range(5) for number in (1, 2)))

        rows = written(shop).rows

        assert sorted((row["memo"], row["line_no"]) for row in rows) == [
            (f"W-{order}", number) for order in range(5) for number in (1, 2)
        ]

    def test_has_no_quotes_and_no_returns(self, shop: Hub):
        send(shop, line(1))
        with shop.database.write() as db:
            db.execute(update(document).values(kind="quote"))

        assert written(shop).file.state == "empty"


class TestTheSubsidiary:
    def test_is_the_company_that_settles_whose_employee_it_is_about(self, shop: Hub):
        with shop.database.write() as db:
            globex = make_partner(db, "globex")
            agree(db, shop.partner.id, "orders", house=True)
        terms(shop, shop.partner.id, settlement=SETTLED)
        terms(shop, globex.id, settlement=SETTLED | {"company_code": "2000"})
        send(shop, line(1), line(1, "W-2", partner_code="globex", employee_id="G1"))

        assert {row["memo"]: row["subsidiary"] for row in written(shop).rows} == {"W-1": "1000", "W-2": "2000"}

    def test_is_the_senders_where_that_partner_is_not_settled(self, shop: Hub):
        with shop.database.write() as db:
            make_partner(db, "globex")
            agree(db, shop.partner.id, "orders", house=True)
        terms(shop, shop.partner.id, settlement=SETTLED)
        send(shop, line(1, partner_code="globex", employee_id="G1"))

        assert [row["subsidiary"] for row in written(shop).rows] == ["1000"]


class TestADelta:
    def test_has_each_revision_once(self, shop: Hub):
        send(shop, line(1), line(2), line(1, "W-2"))
        first = delta(shop)
        nothing = written(shop, "delta").file
        send(shop, line(1, "W-2", revision=2), line(1, "W-3"), name="more.csv")

        assert first == [("W-1", 1, 1), ("W-1", 1, 2), ("W-2", 1, 1)]
        assert (nothing.state, nothing.file_seq) == ("empty", None)
        assert delta(shop) == [("W-2", 2, 1), ("W-3", 1, 1)]
        assert delta(shop) == []

    def test_is_not_woken_by_an_older_revision_that_comes_late(self, shop: Hub):
        send(shop, line(1, revision=2))
        assert delta(shop) == [("W-1", 2, 1)]
        send(shop, line(1, revision=1), name="late.csv")

        assert delta(shop) == []

    def test_has_an_order_once_its_rejected_row_has_come(self, shop: Hub):
        send(shop, line(1), line(2, unit_price="x"))
        assert delta(shop) == []
        send(shop, line(2), name="mended.csv")

        assert delta(shop) == [("W-1", 1, 1), ("W-1", 1, 2)]

    def test_is_not_shortened_by_a_full_file_between(self, shop: Hub):
        send(shop, line(1))
        written(shop)

        assert delta(shop) == [("W-1", 1, 1)]

    def test_whose_writer_died_after_it_was_written_is_said_once(self, shop: Hub, monkeypatch: pytest.MonkeyPatch):
        send(shop, line(1), line(2))
        file = exports.ask(shop.database, NAME, mode="delta")
        with monkeypatch.context() as patch:
            patch.setattr(running, "_note_marks", lambda *_args: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                running.handle(shop.database, {"export": file.public_id}, clock=lambda: NOW)
        with shop.database.read() as db:
            assert jobs.load(db, file.id).state == "writing"
        # Said after the file: it must not be taken for sent.
        send(shop, line(1, revision=2), name="more.csv")

        sent = exports.finish(shop.database, file, now=NOW + timedelta(hours=1))

        assert [(row["revision"], row["line_no"]) for row in sent.rows] == [(1, 1), (1, 2)]
        assert delta(shop, now=NOW + timedelta(hours=1)) == [("W-1", 2, 1)]


class TestErasure:
    def test_forgets_a_customers_number_in_a_file_that_was_sent(self, shop: Hub):
        send(shop, line(1), line(1, "W-2", customer_no="00099999"))
        key = written(shop).file.object_key or ""
        nothing = dict.fromkeys(Sought.__slots__, frozenset[str]())
        named = Sought(**nothing | {"values": frozenset({"00012345"})})
        [found] = list(objects.list_under(running.bucket(), key))

        assert erasing_objects.erase_sent(found, named, partner_code="acme") == 1

        text = b"".join(objects.stream(running.bucket(), key))
        assert (b"00012345" in text, b"00099999" in text) == (False, True)
