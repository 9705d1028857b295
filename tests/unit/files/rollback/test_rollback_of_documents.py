"""Files of documents are taken back line by line; what was sent on or is used stays, and is told."""

from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from chalicelib.documents import known
from chalicelib.documents.kinds import KINDS
from chalicelib.documents.models import document, document_draft, document_version
from chalicelib.files.mending import fixing, resubmitting
from chalicelib.files.models.files import export_mark, export_stream
from chalicelib.files.register.register import InboundFile, load
from chalicelib.files.rollback import foreseeing, way
from chalicelib.files.rows import conserving, recording
from chalicelib.storage import bulk
from tests.factories.files import Hub
from tests.factories.house_rows import lead, line, quoted, returned, shipped
from tests.factories.partners import CALLER
from tests.factories.rollbacks import ADMIN, left, roll_back
from tests.factories.shared_layouts import agree, content

LAYOUTS = ("orders", "shipments", "returns", "quotes", "leads")
STORY = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
_numbers = count(1)


@pytest.fixture
def shop(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> Hub:
    """acme sends documents of its own store; files are taken back two rows at a time."""
    monkeypatch.setattr(way, "ROWS_MAX", 2)
    with hub.database.write() as db:
        agree(db, hub.partner.id, *LAYOUTS)
    return hub


def send(hub: Hub, layout: str, *rows: dict[str, str], name: str = "file.csv") -> InboundFile:
    file = hub.process(layout, content(layout, *rows), name=name)
    assert file.state == "processed"
    return file


def said(hub: Hub, kind: str, scope: str, number: str) -> Any:
    """What a document says now, but for its lineage."""
    with hub.database.read() as db:
        found = known.newest(db, hub.partner.id, KINDS[kind], (scope, number))
    return None if found is None else (found.header, found.personal, found.lines)


def order(hub: Hub, number: str = "W-1") -> Any:
    return said(hub, "order", "web", number)


def skus(found: Any) -> list[str]:
    return [] if found is None else [each["sku"] for each in found[2]]


def state(hub: Hub, number: str = "W-1") -> str:
    with hub.database.read() as db:
        return db.execute(select(document.c.state).where(document.c.number == number)).scalar_one()


def codes(hub: Hub, run: Any) -> list[tuple[str, str]]:
    return [(each.kind, each.code) for each in left(hub, run)]


def sent_on(hub: Hub, number: str, revision: int) -> None:
    """NetSuite was sent this revision of an order."""
    with hub.database.write() as db:
        own = db.execute(select(document.c.id).where(document.c.number == number)).scalar_one()
        place = {"export": "netsuite_orders", "receiver": "_netsuite", "partner_id": bytes(16)}
        bulk.insert_new(db, export_stream, [place | {"changed_at": hub.clock()}], key=("export", "receiver"))
        bulk.insert(db, export_mark, [place | {"key": own, "version": revision}])


class TestOrders:
    def test_are_gone_and_may_come_again(self, shop: Hub):
        file = send(shop, "orders", line(1), line(2), line(1, "W-2"))
        before = order(shop)

        run = roll_back(shop)

        assert (run.undone, run.left_over, order(shop), state(shop)) == (2, 0, None, "withdrawn")
        with shop.database.read() as db:
            assert conserving.breaks(db, load(db, file.id)) == []
        again = send(shop, "orders", line(1), line(2), line(1, "W-2"), name="again.csv")
        assert (again.rows_accepted, order(shop), state(shop)) == (3, before, "pending")

    def test_may_come_otherwise(self, shop: Hub):
        send(shop, "orders", line(1), line(2))
        roll_back(shop)

        send(shop, "orders", line(1, qty="9", status="paid"), name="right.csv")

        header, personal, lines = order(shop)
        assert (header["status"], personal, lines[0]["qty"], len(lines)) == (
            "paid",
            {"ship_to_postal": "D02 X285"},
            9,
            1,
        )

    def test_hold_in_the_revision_before(self, shop: Hub):
        send(shop, "orders", line(1), name="first.csv")
        send(shop, "orders", line(1, revision=2, status="paid"))

        roll_back(shop)

        assert order(shop)[0]["status"] == "new"
        roll_back(shop, "first.csv")
        assert order(shop) is None

    def test_keep_what_is_personal_when_another_file_has_lines_of_them(self, shop: Hub):
        send(shop, "orders", line(1), line(2, qty="0"), name="first.csv")
        send(shop, "orders", line(2), name="second.csv")
        assert skus(order(shop)) == ["SHIRT-1", "SHIRT-2"]

        roll_back(shop, "second.csv")
        assert order(shop) is None  # its second line waits to be mended again

        send(shop, "orders", line(2, qty="5"), name="third.csv")
        _, personal, lines = order(shop)
        assert ([each["qty"] for each in lines], personal) == ([2, 5], {"ship_to_postal": "D02 X285"})

    def test_that_waited_for_a_row_of_the_file_wait_no_more(self, shop: Hub):
        send(shop, "orders", line(1), line(2, qty="0"), name="first.csv")
        send(shop, "orders", line(3), line(4, qty="0"), name="second.csv")

        roll_back(shop, "first.csv")
        send(shop, "orders", line(4), name="third.csv")

        assert skus(order(shop)) == ["SHIRT-3", "SHIRT-4"]

    def test_whose_row_was_mended_go_with_their_file(self, shop: Hub):
        file = send(shop, "orders", line(1), line(2, qty="0"))
        with shop.database.write() as db:
            work = recording.work_of(db, file, shop.partner)
            fixing.fix(db, file, work, 2, {"qty": "2"}, reason="A slip.", caller=CALLER, now=shop.clock())
            resubmitting.resubmit(db, file.id, [2], caller=CALLER, now=shop.clock())
        assert skus(order(shop)) == ["SHIRT-1", "SHIRT-2"]

        run = roll_back(shop)

        assert (run.undone, order(shop), state(shop)) == (1, None, "withdrawn")

    def test_that_were_sent_on_stay_and_are_told(self, shop: Hub):
        send(shop, "orders", line(1), line(2), line(1, "W-2"))
        sent_on(shop, "W-1", 1)

        run = roll_back(shop)

        assert (run.undone, codes(shop, run)) == (1, [("document", "document_sent")])
        assert (skus(order(shop)), order(shop, "W-2")) == (["SHIRT-1", "SHIRT-2"], None)

    def test_go_in_a_revision_that_was_not_sent_on(self, shop: Hub):
        send(shop, "orders", line(1), name="first.csv")
        sent_on(shop, "W-1", 1)
        send(shop, "orders", line(1, revision=2, status="paid"))

        run = roll_back(shop)

        assert (run.undone, run.left_over, order(shop)[0]["status"]) == (1, 0, "new")

    def test_that_a_shipment_names_stay_until_it_is_taken_back(self, shop: Hub):
        send(shop, "orders", line(1), line(1, "W-2"), name="orders.csv")
        send(shop, "shipments", shipped(1), name="shipments.csv")

        run = roll_back(shop, "orders.csv")
        assert (run.undone, codes(shop, run)) == (1, [("document", "document_in_use")])
        assert (skus(order(shop)), order(shop, "W-2")) == (["SHIRT-1"], None)

        roll_back(shop, "shipments.csv")
        run = roll_back(shop, "orders.csv")
        assert (run.run_no, run.undone, run.left_over, order(shop)) == (2, 1, 0, None)

    def test_that_were_taken_back_are_unknown_to_shipments(self, shop: Hub):
        send(shop, "orders", line(1), name="orders.csv")
        roll_back(shop, "orders.csv")

        file = send(shop, "shipments", shipped(1), name="s.csv")

        assert [row.code for row in shop.rows("s.csv")] == ["unknown_order"]
        send(shop, "orders", line(1), name="again.csv")
        assert shop.file("s.csv").rows_accepted == file.rows_accepted + 1

    def test_are_told_beforehand_as_they_will_be(self, shop: Hub):
        file = send(shop, "orders", line(1), line(1, "W-2"), line(1, "W-3"), line(2, "W-3"))
        sent_on(shop, "W-2", 1)
        with shop.database.write() as db:
            tried, stays = way.foresee(db, file.id, reason="r", caller=ADMIN, now=shop.clock(), listed=10)
            reckoned, kept = foreseeing.of(db, load(db, file.id), tried, listed=10, now=shop.clock())
        assert (tried.undone, tried.left_over) == (reckoned.undone, reckoned.left_over) == (2, 1)
        assert [each.code for each in stays] == [each.code for each in kept] == ["document_sent"]

        run = roll_back(shop)
        assert (run.undone, run.left_over) == (2, 1)


class TestShipmentsReturnsQuotesAndLeads:
    def test_lose_the_lines_of_the_file_and_keep_the_others(self, shop: Hub):
        send(shop, "orders", line(1), name="orders.csv")
        send(shop, "returns", returned(1), name="one.csv")
        send(shop, "returns", returned(2), name="two.csv")
        send(shop, "returns", returned(3), name="three.csv")

        roll_back(shop, "two.csv")

        assert [each["line_no"] for each in said(shop, "return", "", "R-1")[2]] == [1, 3]
        send(shop, "returns", returned(2), name="again.csv")
        assert [each["line_no"] for each in said(shop, "return", "", "R-1")[2]] == [1, 2, 3]

    def test_are_what_they_were_before_the_last_file(self, shop: Hub):
        send(shop, "orders", line(1), name="orders.csv")
        send(shop, "returns", returned(1), name="one.csv")
        with shop.database.read() as db:
            first = known.newest(db, shop.partner.id, KINDS["return"], ("", "R-1"))
        send(shop, "returns", returned(2), name="two.csv")

        roll_back(shop, "two.csv")

        with shop.database.read() as db:
            assert known.newest(db, shop.partner.id, KINDS["return"], ("", "R-1")) == first
            drafts = db.execute(
                select(document_draft.c.revision, document_draft.c.whole)
                .join(document, document.c.id == document_draft.c.document_id)
                .where(document.c.kind == "return")
            )
            assert [tuple(row) for row in drafts] == [(0, True)]

    @pytest.mark.parametrize(("layout", "row"), [("quotes", quoted(1)), ("leads", lead())])
    def test_are_gone_and_may_come_again(self, shop: Hub, layout: str, row: dict[str, str]):
        place = ("quote", "", "Q-1") if layout == "quotes" else ("lead", "web", "L-1")
        send(shop, layout, row)
        before = said(shop, *place)

        roll_back(shop)

        assert (before is not None, said(shop, *place)) == (True, None)
        send(shop, layout, row, name="again.csv")
        assert said(shop, *place) == before

    def test_keep_nothing_personal_twice(self, shop: Hub):
        send(shop, "leads", lead())
        roll_back(shop)
        with shop.database.read() as db:
            assert [row.revision for row in db.execute(select(document_version.c.revision))] == [-2]
            assert db.execute(select(document_draft.c.personal)).scalar_one() is None


#: Number of the order, line, and whether the row can be kept.
some = st.lists(
    st.tuples(st.integers(1, 2), st.integers(1, 4), st.booleans()), max_size=5, unique_by=lambda row: row[:2]
)
wrong_rows = st.lists(
    st.tuples(st.integers(1, 2), st.integers(1, 4), st.booleans()),
    min_size=1,
    max_size=6,
    unique_by=lambda row: row[:2],
)
Rows = list[tuple[int, int, bool]]


class TestRollbackThenReload:
    def load(self, hub: Hub, shop_no: str, kind: str, rows: Rows, name: str) -> None:
        """A file of a store's rows; without any there is no file."""
        if not rows:
            return
        given = [
            line(line_no, f"{shop_no}-{number}", qty="1" if good else "0")
            if kind == "orders"
            else returned(line_no, return_no=f"{shop_no}-{number}", order_no=f"{shop_no}-1", qty="1" if good else "0")
            for number, line_no, good in rows
        ]
        file = hub.process(kind, content(kind, *given), name=f"{shop_no}-{kind}-{name}.csv")
        assert file.state in {"processed", "duplicate"}

    def shown(self, hub: Hub, shop_no: str, kind: str) -> list[Any]:
        """What a store's two documents say, and whether they wait for something."""
        named = ("order", "web") if kind == "orders" else ("return", "")
        found: list[Any] = []
        with hub.database.read() as db:
            for number in (1, 2):
                name = f"{shop_no}-{number}"
                drafts = select(document_draft.c.revision, document_draft.c.whole).join(
                    document, document.c.id == document_draft.c.document_id
                )
                own = (document.c.number == name, document.c.kind == named[0], document_draft.c.revision >= 0)
                states = [tuple(row) for row in db.execute(drafts.where(*own))]
                found.append((said(hub, *named, name), states))
        return [str(each).replace(shop_no, "") for each in found]

    @pytest.mark.parametrize("kind", ["orders", "returns"])
    @STORY
    @given(before=some, rows=wrong_rows, after=some)
    def test_equals_a_clean_load(self, shop: Hub, kind: str, before: Rows, rows: Rows, after: Rows):
        assume(rows != before)  # the same file again would be a duplicate, and bring nothing
        number = next(_numbers)
        twice, once = f"A{number}x", f"B{number}x"
        for each in (twice, once):
            if kind == "returns":
                send(shop, "orders", line(1, f"{each}-1"), name=f"{each}.csv")
            self.load(shop, each, kind, before, "before")
        self.load(shop, twice, kind, rows, "wrong")
        roll_back(shop, f"{twice}-{kind}-wrong.csv")
        assert self.shown(shop, twice, kind) == self.shown(shop, once, kind)

        self.load(shop, twice, kind, rows, "again")
        self.load(shop, once, kind, rows, "wrong")
        assert self.shown(shop, twice, kind) == self.shown(shop, once, kind)
        for each in (twice, once):
            self.load(shop, each, kind, after, "after")
        assert self.shown(shop, twice, kind) == self.shown(shop, once, kind)
