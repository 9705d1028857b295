"""Orders, shipments, returns, quotes and leads (I6, I7, I8, I13, I14): many rows, one document, saved once."""

import pytest
from sqlalchemy import select

from chalicelib.documents import known, saving
from chalicelib.documents.kinds import KINDS
from chalicelib.documents.known import Version
from chalicelib.documents.models import document, document_draft, document_version
from chalicelib.documents.saving import NewDocument
from chalicelib.files.mending import fixing, resubmitting
from chalicelib.files.register.register import InboundFile, load
from chalicelib.files.rows import conserving, recording
from chalicelib.settings import Settings, settings
from tests.factories.files import Hub
from tests.factories.house_rows import lead, line, quoted, returned, shipped
from tests.factories.partners import CALLER, make_partner
from tests.factories.shared_layouts import agree, content

LAYOUTS = ("orders", "shipments", "returns", "quotes", "leads")


@pytest.fixture
def shop(hub: Hub) -> Hub:
    """acme sends documents of its own store; globex is somebody else."""
    with hub.database.write() as db:
        agree(db, hub.partner.id, *LAYOUTS)
        make_partner(db, "globex")
    return hub


def send(hub: Hub, layout: str, *rows: dict[str, str], name: str = "file.csv") -> InboundFile:
    file = hub.process(layout, content(layout, *rows), name=name)
    with hub.database.read() as db:
        assert conserving.breaks(db, load(db, file.id)) == []
    return file


def current(hub: Hub, kind: str, scope: str, number: str) -> Version | None:
    """What a document says now."""
    with hub.database.read() as db:
        return known.newest(db, hub.partner.id, KINDS[kind], (scope, number))


def order(hub: Hub, number: str = "W-1") -> Version | None:
    return current(hub, "order", "web", number)


def skus(version: Version | None) -> list[str]:
    return [] if version is None else [each["sku"] for each in version.lines]


def refusals(hub: Hub, name: str = "file.csv") -> dict[int, tuple[str, str]]:
    """Code and column of each rejected row."""
    return {row.row_no: (row.code, row.column_name) for row in hub.rows(name) if row.outcome == "rejected"}


class TestOrders:
    def test_come_together_from_rows_that_do_not_stand_together(self, shop: Hub):
        file = send(shop, "orders", line(2), line(1, "W-2"), line(1))

        assert (file.state, file.rows_accepted, file.control_accepted) == ("processed", 3, 6_000_000)
        found = order(shop)
        assert found is not None
        assert skus(found) == ["SHIRT-1", "SHIRT-2"]
        assert (found.header["currency"], found.lines[0]["unit_price"]) == ("EUR", "19.90")
        assert (found.source_file_id, found.personal) == (file.id, {"ship_to_postal": "D02 X285"})
        receipt = shop.receipt(layout="orders")
        assert (receipt["order_lines"], receipt["documents_whole"], receipt["documents_incomplete"]) == (3, 2, 0)
        with shop.database.read() as db:
            states = db.execute(select(document.c.state, document.c.partner_id)).all()
            assert {tuple(row) for row in states} == {("pending", shop.partner.id)}

    def test_come_together_from_several_slices(self, shop: Hub, monkeypatch: pytest.MonkeyPatch):
        small = Settings.model_validate(settings().model_dump() | {"slice_rows": 2, "slice_rows_sqlite": 2})
        monkeypatch.setattr("chalicelib.files.intake.applying.settings", lambda: small)

        file = send(shop, "orders", *(line(number) for number in (5, 1, 4, 2, 3)))

        assert (file.slice_no, skus(order(shop))) == (3, [f"SHIRT-{number}" for number in (1, 2, 3, 4, 5)])
        with shop.database.read() as db:
            assert len(db.execute(select(document_version.c.id)).all()) == 1

    def test_are_known_when_the_file_is_cut_anew(self, shop: Hub):
        send(shop, "orders", line(1), line(2))

        again = send(shop, "orders", line(2), line(1, "W-2"), line(1), name="two.csv")

        assert (again.rows_accepted, again.rows_duplicate) == (1, 2)
        with shop.database.read() as db:
            assert len(db.execute(select(document_version.c.id)).all()) == 2

    def test_refuse_other_content_under_the_same_revision(self, shop: Hub):
        send(shop, "orders", line(1))

        send(shop, "orders", line(1, qty="3"), line(2), line(1, status="paid"), name="two.csv")

        assert refusals(shop, "two.csv") == {
            1: ("other_content", "line_no"),
            2: ("revision_complete", "line_no"),
            3: ("other_content", "status"),
        }
        assert skus(order(shop)) == ["SHIRT-1"]

    def test_keep_an_older_revision_that_comes_late_and_go_by_the_newest(self, shop: Hub):
        send(shop, "orders", line(1, revision=2, status="paid"))

        late = send(shop, "orders", line(1), name="late.csv")

        found = order(shop)
        assert found is not None
        assert (late.rows_accepted, found.revision, found.header["status"]) == (1, 2, "paid")
        with shop.database.read() as db:
            numbers = db.execute(select(document_version.c.revision).order_by(document_version.c.revision)).scalars()
            assert list(numbers) == [1, 2]

    def test_are_one_for_each_channel(self, shop: Hub):
        send(shop, "orders", line(1), line(1, channel="store"))

        assert order(shop) is not None
        assert current(shop, "order", "store", "W-1") is not None

    def test_refuse_rows_that_cannot_be_kept_by_name(self, shop: Hub):
        rows = (
            line(1, "A", qty="0"),
            line(1, "B", unit_price="19.905"),
            line(1, "C", currency="euro"),
            line(1, "D", order_ts="yesterday"),
            line(0, "E"),
            line(1, "F", partner_code="globex"),
            line(1, "G", sku="x" * 101),
            line(1, "H", qty="1.5"),
            line(1, "I", status=""),
        )

        file = send(shop, "orders", *rows)

        assert (file.rows_accepted, refusals(shop)) == (
            0,
            {
                1: ("quantity_out_of_range", "qty"),
                2: ("excess_digits", "unit_price"),
                3: ("bad_currency", "currency"),
                4: ("bad_moment", "order_ts"),
                5: ("quantity_out_of_range", "line_no"),
                6: ("other_partner", "partner_code"),
                7: ("too_long", "sku"),
                8: ("inexact", "qty"),
                9: ("missing_value", "status"),
            },
        )

    def test_are_refused_as_a_file_when_the_trailer_does_not_agree(self, shop: Hub):
        file = shop.process("orders", content("orders", line(1), trailer="#TRAILER,1,3"))

        assert (file.state, file.reason_code, order(shop)) == ("quarantined", "control_mismatch", None)


class TestAnOrderThatIsNotWhole:
    def test_waits_for_the_row_that_contradicts_the_others(self, shop: Hub):
        file = send(shop, "orders", line(1), line(2, currency="USD"))

        assert refusals(shop) == {2: ("contradicts", "currency")}
        assert (order(shop), shop.receipt(layout="orders")["documents_incomplete"]) == (None, 1)
        assert file.state == "processed"

    @pytest.mark.parametrize("wrong", [{"qty": "0"}, {"unit_price": "two"}, {"sku": ""}])
    def test_is_saved_once_its_row_is_mended(self, shop: Hub, wrong: dict[str, str]):
        file = send(shop, "orders", line(1), line(2, **wrong))
        assert order(shop) is None

        with shop.database.write() as db:
            right = {name: value for name, value in line(2).items() if name in wrong}
            work = recording.work_of(db, file, shop.partner)
            fixing.fix(db, file, work, 2, right, reason="A slip.", caller=CALLER, now=shop.clock())
            resubmitting.resubmit(db, file.id, [2], caller=CALLER, now=shop.clock())

        assert skus(order(shop)) == ["SHIRT-1", "SHIRT-2"]

    def test_is_saved_once_another_file_has_the_line(self, shop: Hub):
        send(shop, "orders", line(1), line(2, qty="0"))

        again = send(shop, "orders", line(1), line(2), name="two.csv")

        assert (again.rows_accepted, again.rows_duplicate) == (1, 1)
        assert skus(order(shop)) == ["SHIRT-1", "SHIRT-2"]

    def test_does_not_keep_others_waiting(self, shop: Hub):
        send(shop, "orders", line(1), line(1, "W-2"), line(2, "W-2", qty="0"))

        assert (skus(order(shop)), order(shop, "W-2")) == (["SHIRT-1"], None)


class TestShipmentsAndReturns:
    def test_wait_for_their_order_and_are_tried_when_it_comes(self, shop: Hub):
        early = send(shop, "shipments", shipped(1), shipped(2), name="early.csv")
        assert refusals(shop, "early.csv") == {1: ("unknown_order", "order_no"), 2: ("unknown_order", "order_no")}
        assert all(row.fixable for row in shop.rows("early.csv"))

        send(shop, "orders", line(1), line(2), name="orders.csv")

        assert shop.file("early.csv").rows_accepted == 2
        assert skus(current(shop, "shipment", "W-1", "S-1")) == ["SHIRT-1", "SHIRT-2"]
        assert shop.receipt("early.csv", layout="shipments")["shipment_lines"] == 2
        assert early.rows_rejected == 2

    def test_grow_by_lines_of_later_files(self, shop: Hub):
        send(shop, "orders", line(1), name="orders.csv")
        send(shop, "returns", returned(1), name="one.csv")

        later = send(shop, "returns", returned(1), returned(2, received_ts="2026-11-26T10:30:00Z"), name="two.csv")

        found = current(shop, "return", "", "R-1")
        assert found is not None
        assert (later.rows_accepted, later.rows_duplicate) == (1, 1)
        assert (found.revision, [each["line_no"] for each in found.lines]) == (2, [1, 2])

    def test_are_refused_when_they_say_otherwise(self, shop: Hub):
        send(shop, "orders", line(1), line(1, "W-2"), name="orders.csv")

        send(shop, "shipments", shipped(1), shipped(1, qty_shipped="2"), shipped(2, warehouse="CORK"), name="s.csv")
        send(shop, "returns", returned(1), returned(2, order_no="W-2"), name="r.csv")

        assert refusals(shop, "s.csv") == {2: ("other_content", "line_no"), 3: ("contradicts", "warehouse")}
        assert refusals(shop, "r.csv") == {2: ("contradicts", "order_no")}

    def test_do_not_see_another_partners_orders(self, shop: Hub):
        with shop.database.write() as db:
            agree(db, make_partner(db, "initech").id, *LAYOUTS)
        send(shop, "orders", line(1), name="orders.csv")

        shop.process("shipments", content("shipments", shipped(1)), name="theirs.csv", partner="initech")

        assert refusals(shop, "theirs.csv") == {1: ("unknown_order", "order_no")}


class TestQuotes:
    def test_are_put_together_as_orders_are(self, shop: Hub):
        file = send(shop, "quotes", quoted(2), quoted(1), quoted(1), quoted(1, revision="0", status="draft"))

        found = current(shop, "quote", "", "Q-1")
        assert found is not None
        assert (file.rows_accepted, file.rows_duplicate) == (3, 1)
        assert (found.revision, [each["unit_price"] for each in found.lines]) == (1, ["35.00", "35.00"])
        assert found.header["valid_until"] == "2026-12-31"


class TestLeads:
    def test_are_kept_with_nothing_personal_in_the_clear(self, shop: Hub):
        file = send(shop, "leads", lead(), lead())

        found = current(shop, "lead", "web", "L-1")
        assert found is not None
        assert (file.rows_accepted, file.rows_duplicate) == (1, 1)
        assert found.personal == {"last_name": "Daly", "email": "niamh.daly@example.com"}
        assert (found.header["country"], found.header["consent"]) == ("IE", "true")
        with shop.database.read() as db:
            for table in (document_version, document_draft):
                [kept] = [row._mapping for row in db.execute(select(table))]
                assert "daly" not in repr(dict(kept)).lower()

    def test_name_what_differs_once_they_are_saved(self, shop: Hub):
        send(shop, "leads", lead())

        again = send(shop, "leads", lead(), lead(postal="D04"), name="two.csv")

        assert again.rows_duplicate == 1
        assert refusals(shop, "two.csv") == {2: ("other_content", "postal")}


class TestTheHouse:
    def test_says_whose_employee_ordered_and_keeps_the_order_as_its_own(self, shop: Hub):
        with shop.database.write() as db:
            agree(db, shop.partner.id, *LAYOUTS, house=True)
            globex = db.execute(select(document.metadata.tables["partner"].c.id).filter_by(code="globex")).scalar_one()

        send(
            shop,
            "orders",
            line(1, partner_code="globex"),
            line(1, "B", partner_code="x"),
            line(1, "C", employee_id="E1"),
        )

        assert refusals(shop) == {2: ("unknown_partner", "partner_code"), 3: ("missing_value", "partner_code")}
        with shop.database.read() as db:
            kept = select(document.c.partner_id, document.c.concerns_id).where(document.c.state == "pending")
            assert [tuple(row) for row in db.execute(kept)] == [(shop.partner.id, globex)]

    def test_layouts_have_to_be_agreed(self, shop: Hub):
        with shop.database.write() as db:
            agree(db, shop.partner.id, "orders")
            agree(db, shop.partner.id)

        assert shop.process("orders", content("orders", line(1))).reason_code == "layout_not_agreed"


class TestSaving:
    def make(self, revision: int | None = 1, sku: str = "A") -> NewDocument:
        return NewDocument("order", ("web", "W-9"), revision, {}, {}, [{"line_no": 1, "sku": sku}])

    def save(self, hub: Hub, new: NewDocument) -> tuple[str, int, bool]:
        with hub.database.write() as db:
            saved = saving.save(db, hub.partner.id, new, caller=CALLER, now=hub.clock())
        return saved.outcome, saved.revision, saved.is_newest

    def test_leaves_a_revision_alone_that_comes_in_rows(self, shop: Hub):
        send(shop, "orders", line(1, "W-9"), line(2, "W-9", qty="0"))

        assert self.save(shop, self.make()) == ("draft", 1, False)

    def test_is_known_to_a_file_that_brings_the_same(self, shop: Hub):
        send(shop, "orders", line(1))
        found = order(shop)
        assert found is not None
        copy = NewDocument("order", ("web", "W-8"), 1, found.header, found.personal, found.lines)
        assert self.save(shop, copy) == ("saved", 1, True)

        file = send(shop, "orders", line(1, "W-8"), line(2, "W-8"), name="two.csv")

        assert (file.rows_duplicate, refusals(shop, "two.csv")) == (1, {2: ("revision_complete", "line_no")})
