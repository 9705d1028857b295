"""What the retailer's own files said is taken back: what was said before holds again, and the file may come anew."""

from typing import Any

import pytest
from sqlalchemy import select

from chalicelib.files.register.register import InboundFile, load
from chalicelib.files.rollback import foreseeing, way
from chalicelib.files.rows import conserving
from chalicelib.partners.house import customer_linking, customers, prices, products, stock
from chalicelib.partners.house.customers import Customer
from chalicelib.partners.members import identities
from chalicelib.partners.members.members import by_employee
from chalicelib.partners.models.house import customer, customer_identity, price_version, product_version
from tests.factories.files import Hub
from tests.factories.house_rows import article, price, report
from tests.factories.house_rows import customer as person
from tests.factories.partners import CALLER
from tests.factories.rollbacks import ADMIN, roll_back
from tests.factories.shared_layouts import agree, content

LAYOUTS = ("products", "prices", "inventory", "customers")


@pytest.fixture
def house(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> Hub:
    """The retailer's own folder; files are taken back two rows at a time."""
    monkeypatch.setattr(way, "ROWS_MAX", 2)
    with hub.database.write() as db:
        agree(db, hub.partner.id, *LAYOUTS, house=True)
    return hub


def send(hub: Hub, layout: str, *rows: dict[str, str], name: str = "file.csv") -> InboundFile:
    file = hub.process(layout, content(layout, *rows), name=name)
    assert file.state == "processed"
    return file


def known(hub: Hub) -> tuple[Any, ...]:
    """What holds of the articles of these tests."""
    skus = ["SHIRT-M", "CLOG", "SOCK"]
    with hub.database.read() as db:
        day = hub.clock().date()
        return (
            {sku: each.name for sku, each in products.of(db, skus, on=day).items()},
            [(each.sku, each.list_price) for each in prices.of(db, skus, on=day, partner_id=None)],
            {sku: [(each.on_hand, each.source_seq) for each in all_] for sku, all_ in stock.of(db, skus).items()},
        )


def everybody(hub: Hub) -> list[Customer]:
    with hub.database.read() as db:
        ids = db.execute(select(customer.c.id).order_by(customer.c.id)).scalars().all()
        return [found for each in ids if (found := customers.by_id(db, each)) is not None]


def store_numbers(hub: Hub, employee_id: str = "E1") -> list[str]:
    """Under which number the store knows an employee of acme today."""
    with hub.database.read() as db:
        member_id = by_employee(db, hub.partner.id, [employee_id])[employee_id].id
        return sorted(identities.customer_numbers(db, [member_id], on=hub.clock().date()).values())


class TestArticlesPricesAndStock:
    @pytest.mark.parametrize(
        ("layout", "before", "wrong"),
        [
            (
                "products",
                [article(), article("SOCK")],
                [article(name="Wrong"), article("CLOG"), article("SOCK", name="X")],
            ),
            ("prices", [price(), price("SOCK")], [price(list_price="1"), price("CLOG"), price("SOCK", list_price="2")]),
            (
                "inventory",
                [report(1), report(7, "SOCK")],
                [report(2, on_hand="9"), report(3, "CLOG"), report(8, "SOCK")],
            ),
        ],
    )
    def test_are_again_what_they_were_and_may_come_again(
        self, house: Hub, layout: str, before: list[dict[str, str]], wrong: list[dict[str, str]]
    ):
        send(house, layout, *before, name="before.csv")
        then = known(house)
        send(house, layout, *wrong)
        after = known(house)
        assert after != then

        run = roll_back(house)

        assert (run.undone, run.left_over, house.file().state) == (3, 0, "rolled_back")
        assert known(house) == then
        again = send(house, layout, *wrong, name="again.csv")
        assert (again.rows_accepted, known(house)) == (3, after)

    def test_keep_what_a_later_file_said(self, house: Hub):
        send(house, "products", article(name="Wrong"), article("CLOG"))
        send(house, "products", article(name="Later"), name="later.csv")

        roll_back(house)

        assert known(house)[0] == {"SHIRT-M": "Later"}
        roll_back(house, "later.csv")
        assert known(house)[0] == {}

    def test_of_which_nobody_else_spoke_are_not_known_any_more(self, house: Hub):
        send(house, "inventory", report(0), report(5, "CLOG"))

        roll_back(house)

        assert known(house)[2] == {}

    def test_keep_every_row_that_the_file_had(self, house: Hub):
        file = send(house, "prices", price(), price(), price("CLOG"))
        roll_back(house)

        with house.database.read() as db:
            assert conserving.breaks(db, load(db, file.id)) == []
            found = db.execute(select(price_version.c.version < 0).where(price_version.c.source_file_id == file.id))
            assert list(found.scalars()) == [True, True]

    def test_are_counted_as_they_would_go(self, house: Hub):
        file = send(house, "products", article(), article("CLOG"), article("SOCK"))

        with house.database.write() as db:
            tried, left = way.foresee(db, file.id, reason="r", caller=ADMIN, now=house.clock(), listed=10)
            reckoned, kept = foreseeing.of(db, load(db, file.id), tried, listed=10, now=house.clock())

        assert (tried.undone, left) == (reckoned.undone, kept) == (3, [])
        assert house.file().state == "processed"

    def test_say_the_same_by_request_and_by_file(self, house: Hub):
        send(house, "products", article(name="By file"))
        roll_back(house)
        with house.database.read() as db:
            assert db.execute(select(product_version.c.version)).scalars().all()[0] < 0

        send(house, "products", article(name="By file"), name="again.csv")
        with house.database.read() as db:
            versions = db.execute(select(product_version.c.version).order_by(product_version.c.version)).scalars()
            assert [each for each in versions if each > 0] == [1]


class TestCustomers:
    def test_of_whom_nobody_else_spoke_are_gone(self, house: Hub):
        send(house, "customers", person(salesforce_id="003A"), person("0002", email="two@example.com"))

        run = roll_back(house)

        assert (run.undone, everybody(house)) == (2, [])
        with house.database.read() as db:
            assert customers.by_email(db, "ada.byron@example.com") == []
            assert db.execute(select(customer_identity.c.id)).all() == []

    def test_are_again_what_they_were(self, house: Hub):
        send(house, "customers", person(), name="before.csv")
        [before] = everybody(house)
        send(house, "customers", person(modified="2026-11-20T10:00:00Z", last_name="Wrong", salesforce_id="003A"))

        roll_back(house)

        [found] = everybody(house)
        assert (found.fields, found.identities) == (before.fields, before.identities)

    def test_are_nobodys_employees_whom_only_the_file_called_so(self, house: Hub):
        send(house, "customers", person(), name="before.csv")
        linked = person(modified="2026-11-20T10:00:00Z", partner_code="acme", employee_id="E1")
        send(house, "customers", linked)
        assert store_numbers(house) == ["0001"]

        roll_back(house)

        [found] = everybody(house)
        assert (found.partner_id, found.member_id, store_numbers(house)) == (None, None, [])
        send(house, "customers", linked | {"employee_id": "E2"}, name="right.csv")
        assert (store_numbers(house), store_numbers(house, "E2")) == ([], ["0001"])

    def test_keep_a_number_that_somebody_put(self, house: Hub):
        send(house, "customers", person())
        [found] = everybody(house)
        with house.database.write() as db:
            customer_linking.link(db, found.id, "salesforce", "003B", caller=CALLER, now=house.clock())

        roll_back(house)

        assert [each.identities for each in everybody(house)] == [{"salesforce": "003B"}]

    def test_of_a_shop_that_had_another_number_before_have_it_again(self, house: Hub):
        with house.database.write() as db:
            member_id = by_employee(db, house.partner.id, ["E1"])["E1"].id
            day = house.clock().date().replace(day=1)
            identities.know(db, house.partner.id, {member_id: "9"}, since=day)
        send(house, "customers", person(partner_code="acme", employee_id="E1"))
        assert store_numbers(house) == ["0001"]

        roll_back(house)

        assert store_numbers(house) == ["9"]

    def test_before_the_computers_had_a_time_are_refused(self, house: Hub):
        file = send(house, "customers", person(modified="1969-12-31T23:59:59Z"))
        assert [(row.code, row.column_name) for row in house.rows()] == [("date_out_of_range", None)]
        assert file.rows_rejected == 1

    def test_may_come_again(self, house: Hub):
        rows = [
            person(partner_code="acme", employee_id="E1", salesforce_id="003A"),
            person("0002", email="b@b.example"),
        ]
        send(house, "customers", *rows)
        before = [(each.fields, each.identities, each.partner_id, each.member_id) for each in everybody(house)]
        roll_back(house)

        again = send(house, "customers", *rows, name="again.csv")

        shown = [(each.fields, each.identities, each.partner_id, each.member_id) for each in everybody(house)]
        assert (again.rows_accepted, store_numbers(house)) == (2, ["0001"])
        assert sorted(shown, key=str) == sorted(before, key=str)
