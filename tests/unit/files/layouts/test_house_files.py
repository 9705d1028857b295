"""Articles, prices and stock (I9, I10, I11): what only the retailer's own systems may send."""

from datetime import UTC, date, datetime

import pytest
from sqlalchemy import func, select

from chalicelib.errors import Unprocessable
from chalicelib.files.intake import trying
from chalicelib.files.register.register import load
from chalicelib.files.rows import conserving
from chalicelib.partners.house import prices, products, stock
from chalicelib.partners.models.house import price_version, product_version, stock_version
from chalicelib.settings import Settings, settings
from tests.factories.files import Hub
from tests.factories.house_rows import article, price, report
from tests.factories.partners import make_partner
from tests.factories.shared_layouts import agree, content

TODAY = date(2026, 11, 20)
LAYOUTS = ("products", "prices", "inventory")


@pytest.fixture
def house(hub: Hub) -> Hub:
    """The retailer's own folder, beside an ordinary partner."""
    with hub.database.write() as db:
        agree(db, hub.partner.id, *LAYOUTS, house=True)
        make_partner(db, "globex")
    return hub


def rejected(hub: Hub, name: str = "file.csv") -> dict[int, tuple[str, str]]:
    """Code and column of each rejected row."""
    return {row.row_no: (row.code, row.column_name) for row in hub.rows(name) if row.outcome == "rejected"}


def shown(hub: Hub, *skus: str, on: date = TODAY) -> dict[str, tuple[str, bool]]:
    """Name and whether it is sold, by article."""
    with hub.database.read() as db:
        return {sku: (each.name, each.active) for sku, each in products.of(db, skus, on=on).items()}


def cost(hub: Hub, partner: str | None = None, *, on: date = TODAY) -> list[tuple[str, str, str | None]]:
    """Book, list price and points of the shirt, for one partner or for everybody."""
    with hub.database.read() as db:
        partner_id = None if partner is None else prices.partner_ids(db, [partner])[partner]
        found = prices.of(db, ["SHIRT-M"], on=on, partner_id=partner_id)
        return [(each.price_book, each.list_price, each.points_price) for each in found]


def there(hub: Hub) -> dict[str, tuple[int, int]]:
    """Pieces and sequence by place."""
    with hub.database.read() as db:
        found = stock.of(db, ["SHIRT-M"]).get("SHIRT-M", [])
        return {each.location_code: (each.on_hand, each.source_seq) for each in found}


class TestAPartnerThatIsNotTheHouse:
    @pytest.mark.parametrize("layout", LAYOUTS)
    def test_brings_nothing_even_if_its_manifest_lists_the_layout(self, house: Hub, layout: str):
        with house.database.write() as db:
            agree(db, house.partner.id, *LAYOUTS)
        rows = {"products": article(), "prices": price(), "inventory": report(1)}

        file = house.process(layout, content(layout, rows[layout]))

        assert (file.state, file.reason_code) == ("quarantined", "not_the_house")
        assert (shown(house, "SHIRT-M"), cost(house), there(house)) == ({}, [], {})

    def test_cannot_even_try_such_a_file(self, house: Hub):
        with house.database.write() as db:
            agree(db, house.partner.id, *LAYOUTS)
            data = content("prices", price()).encode()
            with pytest.raises(Unprocessable) as refusal:
                trying.attempt(db, house.partner, "prices", data, name="f.csv", sidecar=None, now=house.clock())
        assert refusal.value.code == "not_the_house"


class TestProducts:
    def test_are_what_they_are_from_a_day_on(self, house: Hub):
        later = article(name="Pilot shirt", active="false", effective_date="2026-12-01")

        file = house.process("products", content("products", later, article()))

        assert (file.state, file.rows_accepted) == ("processed", 2)
        assert shown(house, "SHIRT-M", on=date(2026, 10, 31)) == {}
        assert shown(house, "SHIRT-M") == {"SHIRT-M": ("Pilot shirt, white", True)}
        assert shown(house, "SHIRT-M", on=date(2026, 12, 1)) == {"SHIRT-M": ("Pilot shirt", False)}

    def test_are_corrected_by_a_later_word_about_the_same_day(self, house: Hub):
        file = house.process("products", content("products", article(), article(), article(name="Shirt")))

        assert (file.rows_accepted, file.rows_duplicate) == (2, 1)
        assert shown(house, "SHIRT-M") == {"SHIRT-M": ("Shirt", True)}
        with house.database.read() as db:
            assert db.execute(select(func.count()).select_from(product_version)).scalar_one() == 2

    def test_may_be_again_what_they_were_before_another_file(self, house: Hub):
        for number, name in enumerate(("One", "Two", "One")):
            file = house.process("products", content("products", article(name=name)), name=f"{number}.csv")

        assert file.state == "processed"
        assert shown(house, "SHIRT-M") == {"SHIRT-M": ("One", True)}

    def test_that_cannot_be_kept_are_refused_by_name(self, house: Hub):
        rows = (
            article(),
            article(name=""),
            article(uniform_flag="yes"),
            article(effective_date="2026-02-30"),
            article("S" * 65),
            article(weight="-1"),
            article(weight="0.1234567"),
            article(style="x" * 201),
        )

        house.process("products", content("products", *rows))

        assert rejected(house) == {
            2: ("missing_value", "name"),
            3: ("not_in_values", "uniform_flag"),
            4: ("bad_date", "effective_date"),
            5: ("too_long", "sku"),
            6: ("below_minimum", "weight"),
            7: ("inexact", "weight"),
            8: ("too_long", "style"),
        }
        assert shown(house, "SHIRT-M") == {"SHIRT-M": ("Pilot shirt, white", True)}


class TestPrices:
    def test_of_a_partner_go_before_everybodys_in_the_same_book(self, house: Hub):
        other = price(price_book="eu-2026", currency="EUR", list_price="31.00", points_price="")
        contract = price(partner_code="globex", points_price="40.5", contract_price="27.5")

        file = house.process("prices", content("prices", price(), contract, other))

        assert file.rows_accepted == 3
        everybodys = [("eu-2026", "31.00", None), ("us-2026", "34.95", "55")]
        assert cost(house) == everybodys
        assert cost(house, "acme") == everybodys
        assert cost(house, "globex") == [("eu-2026", "31.00", None), ("us-2026", "34.95", "40.5")]

    def test_hold_from_one_day_to_another(self, house: Hub):
        sale = price(list_price="20.00", valid_from="2026-11-20", valid_to="2026-11-30")

        house.process("prices", content("prices", price(), sale))

        days = [date(2026, 10, 31), date(2026, 11, 19), date(2026, 11, 30), date(2026, 12, 1)]
        assert [[amount for _, amount, _ in cost(house, on=day)] for day in days] == [
            [],
            ["34.95"],
            ["20.00"],
            ["34.95"],
        ]

    def test_that_cannot_be_kept_are_refused_by_name(self, house: Hub):
        rows = (
            price(partner_code="nobody"),
            price(currency="Dollars"),
            price(list_price="34.955"),
            price(currency="JPY", list_price="3400.5"),
            price(list_price="-1"),
            price(points_price="-1"),
            price(valid_to="2026-10-31"),
            price(min_qty="-1"),
            price(price_book="b" * 65),
            price(list_price=""),
        )

        house.process("prices", content("prices", *rows))

        assert rejected(house) == {
            1: ("unknown_partner", "partner_code"),
            2: ("bad_currency", "currency"),
            3: ("excess_digits", "list_price"),
            4: ("excess_digits", "list_price"),
            5: ("amount_out_of_range", "list_price"),
            6: ("amount_out_of_range", "points_price"),
            7: ("ends_before_it_starts", "valid_to"),
            8: ("quantity_out_of_range", "min_qty"),
            9: ("too_long", "price_book"),
            10: ("missing_value", "list_price"),
        }
        assert cost(house) == []


class TestStock:
    def test_is_what_the_latest_report_of_each_place_says(self, house: Hub):
        rows = report(7), report(8, on_hand="90"), report(3, location_code="DC-02", on_hand="5")

        file = house.process("inventory", content("inventory", *rows))

        assert (file.rows_accepted, file.control_accepted) == (3, 215_000_000)
        assert there(house) == {"DC-01": (90, 8), "DC-02": (5, 3)}

    def test_ignores_older_reports_and_counts_them_as_such(self, house: Hub):
        house.process("inventory", content("inventory", report(7)))

        late = house.process("inventory", content("inventory", report(6, on_hand="1"), report(7)), name="late.csv")

        assert (late.state, late.rows_ignored, late.rows_duplicate, late.rows_accepted) == ("processed", 1, 1, 0)
        assert late.control_ignored == 1_000_000
        assert [(row.outcome, row.code) for row in house.rows("late.csv")] == [
            ("ignored", "older"),
            ("duplicate", "same_content"),
        ]
        assert there(house) == {"DC-01": (120, 7)}

    def test_refuses_another_report_under_the_same_number(self, house: Hub):
        house.process("inventory", content("inventory", report(7), report(7, on_hand="121")))

        assert [(row.row_no, row.code) for row in house.rows()] == [(2, "other_content")]
        assert there(house) == {"DC-01": (120, 7)}

    def test_that_cannot_be_kept_is_refused_by_name(self, house: Hub):
        rows = (
            report(1, as_of="2026-11-20 06:00"),
            report(1, as_of="2026-11-31T06:00:00Z"),
            report(-1),
            report(2**63),
            report(1, on_hand="1.5"),
            report(1, reserved="1000000000001"),
            report(1, location_code="L" * 65),
        )

        house.process("inventory", content("inventory", *rows))

        assert rejected(house) == {
            1: ("bad_moment", "as_of"),
            2: ("bad_moment", "as_of"),
            3: ("quantity_out_of_range", "source_seq"),
            4: ("quantity_out_of_range", "source_seq"),
            5: ("inexact", "on_hand"),
            6: ("quantity_out_of_range", "reserved"),
            7: ("too_long", "location_code"),
        }

    def test_says_when_it_was_counted_in_utc(self, house: Hub):
        house.process("inventory", content("inventory", report(1, as_of="2026-11-20T06:00:00+02:00")))

        with house.database.read() as db:
            [found] = stock.of(db, ["SHIRT-M", "NONE"])["SHIRT-M"]
        assert found.as_of == datetime(2026, 11, 20, 4, tzinfo=UTC)


class TestOnce:
    def test_slices_come_to_the_same_as_one(self, house: Hub, monkeypatch: pytest.MonkeyPatch):
        small = Settings.model_validate(settings().model_dump() | {"slice_rows": 2, "slice_rows_sqlite": 2})
        monkeypatch.setattr("chalicelib.files.intake.applying.settings", lambda: small)

        file = house.process("inventory", content("inventory", *[report(number) for number in (5, 6, 4, 6, 7)]))

        assert (file.slice_no, file.rows_accepted, file.rows_ignored, file.rows_duplicate) == (3, 3, 1, 1)
        assert there(house) == {"DC-01": (120, 7)}

    @pytest.mark.parametrize(
        ("layout", "row", "table"),
        [
            ("products", article(), product_version),
            ("prices", price(), price_version),
            ("inventory", report(1), stock_version),
        ],
    )
    def test_every_accepted_row_is_kept_with_where_it_came_from(self, house: Hub, layout: str, row, table):
        file = house.process(layout, content(layout, row))

        with house.database.read() as db:
            [kept] = db.execute(select(table)).all()
            assert (kept.source_file_id, kept.row_no, kept.actor) == (file.id, 1, "system:files")
            assert conserving.breaks(db, load(db, file.id)) == []
        told = {"products": "products", "prices": "prices", "inventory": "stock"}[layout]
        assert house.receipt(layout=layout)[told] == 1

    @pytest.mark.parametrize("layout", LAYOUTS)
    def test_a_trailer_that_does_not_agree_quarantines_the_file(self, house: Hub, layout: str):
        rows = {"products": article(), "prices": price(), "inventory": report(1)}

        file = house.process(layout, content(layout, rows[layout], trailer="#TRAILER,2,120"))

        assert (file.state, file.reason_code) == ("quarantined", "control_mismatch")
