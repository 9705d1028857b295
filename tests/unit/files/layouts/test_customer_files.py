"""Customers (I12): what Salesforce and the store say of one person, with nothing personal in the clear."""

import pytest
from sqlalchemy import select

from chalicelib.files.register.register import InboundFile
from chalicelib.partners.house import customers
from chalicelib.partners.house.customers import Customer
from chalicelib.partners.members import identities
from chalicelib.partners.members.members import by_employee
from chalicelib.partners.models.house import customer, customer_version
from tests.factories.files import Hub
from tests.factories.house_rows import customer as person
from tests.factories.partners import make_member, make_partner
from tests.factories.shared_layouts import agree, content

LAYOUT = "customers"


@pytest.fixture
def house(hub: Hub) -> Hub:
    """The retailer's own folder; acme and globex both have an employee E1."""
    with hub.database.write() as db:
        agree(db, hub.partner.id, LAYOUT, house=True)
        make_member(db, make_partner(db, "globex"), "E1")
    return hub


def send(hub: Hub, *rows: dict[str, str], name: str = "file.csv") -> InboundFile:
    return hub.process(LAYOUT, content(LAYOUT, *rows), name=name)


def everybody(hub: Hub) -> list[Customer]:
    """Every golden record, oldest first."""
    with hub.database.read() as db:
        ids = db.execute(select(customer.c.id).order_by(customer.c.id)).scalars().all()
        return [found for each in ids if (found := customers.by_id(db, each)) is not None]


def said(found: Customer) -> dict[str, tuple[str, str]]:
    """Value and source of each field."""
    return {name: (field.value, field.source) for name, field in found.fields.items()}


def rejected(hub: Hub, name: str = "file.csv") -> dict[int, tuple[str, str]]:
    return {row.row_no: (row.code, row.column_name) for row in hub.rows(name) if row.outcome == "rejected"}


class TestTheGoldenRecord:
    def test_has_of_each_field_the_latest_word_and_who_said_it(self, house: Hub):
        from_crm = person(
            "003A", "2026-11-20T08:00:00Z", source="salesforce", last_name="King", email="ada@king.example"
        ) | {"first_name": ""}
        send(house, person(salesforce_id="003A", consent_marketing="true"), from_crm)

        [found] = everybody(house)
        assert said(found) == {
            "email": ("ada@king.example", "salesforce"),
            "first_name": ("Ada", "sfcc"),
            "last_name": ("King", "salesforce"),
            "salesforce_id": ("003A", "sfcc"),
            "consent_marketing": ("true", "sfcc"),
        }
        assert found.identities == {"salesforce": "003A", "sfcc": "0001"}

    def test_is_of_one_employee_whoever_names_them(self, house: Hub):
        file = send(
            house,
            person(partner_code="acme", employee_id="E1"),
            person("003A", source="salesforce", partner_code="acme", employee_id="E1"),
        )

        [found] = everybody(house)
        assert file.rows_accepted == 2
        assert found.partner_id == house.partner.id
        assert set(found.identities) == {"salesforce", "sfcc"}

    def test_is_not_changed_by_an_older_word(self, house: Hub):
        send(house, person())

        late = send(house, person(modified="2026-11-19T14:04:59Z", last_name="Old"), person(), name="late.csv")

        assert (late.state, late.rows_ignored, late.rows_duplicate) == ("processed", 1, 1)
        assert said(everybody(house)[0])["last_name"] == ("Byron", "sfcc")

    def test_is_found_by_mail_in_any_letter_case(self, house: Hub):
        send(house, person(), person("0002", email="other@example.com"))

        with house.database.read() as db:
            [found] = customers.by_email(db, " ada.byron@EXAMPLE.com")
        assert found == next(each.id for each in everybody(house) if each.identities["sfcc"] == "0001")


class TestAnEmployee:
    def numbers(self, hub: Hub) -> list[str]:
        with hub.database.read() as db:
            member_id = by_employee(db, hub.partner.id, ["E1"])["E1"].id
            return sorted(identities.customer_numbers(db, [member_id], on=hub.clock().date()).values())

    def test_has_balances_sent_to_the_stores_own_number(self, house: Hub):
        send(house, person(partner_code="acme", employee_id="E1"))

        assert self.numbers(house) == ["0001"]

    def test_keeps_the_number_when_only_salesforce_speaks(self, house: Hub):
        send(house, person(partner_code="acme", employee_id="E1"))

        send(house, person("003A", source="salesforce", partner_code="acme", employee_id="E1"), name="two.csv")

        assert self.numbers(house) == ["0001"]


class TestAnotherPartnersCustomer:
    def test_is_not_taken_by_naming_their_number(self, house: Hub):
        send(house, person(partner_code="globex", employee_id="E1"))
        newer = "2026-11-20T00:00:00Z"

        send(house, person(modified=newer, partner_code="acme", employee_id="E1", last_name="Thief"), name="two.csv")

        assert rejected(house, "two.csv") == {1: ("customer_of_other_partner", "partner_code")}
        [found] = everybody(house)
        assert said(found)["last_name"] == ("Byron", "sfcc")
        assert found.partner_id != house.partner.id

    def test_stays_theirs_when_a_row_names_no_partner(self, house: Hub):
        send(house, person(partner_code="globex", employee_id="E1"))

        send(house, person(modified="2026-11-20T00:00:00Z", last_name="King"), name="two.csv")

        [found] = everybody(house)
        assert (found.partner_id is not None, said(found)["last_name"]) == (True, ("King", "sfcc"))

    def test_cannot_be_brought_by_a_partner_that_is_not_the_house(self, house: Hub):
        with house.database.write() as db:
            agree(db, house.partner.id, LAYOUT)

        assert send(house, person()).reason_code == "not_the_house"
        assert everybody(house) == []


class TestRowsThatCannotBeUsed:
    def test_are_refused_by_name_and_repeat_no_personal_value(self, house: Hub):
        rows = (
            person("1", salesforce_id="003A"),
            person("2", salesforce_id="003B"),
            person("1", "2026-11-20T00:00:00Z", salesforce_id="003B"),
            person("4", partner_code="nobody"),
            person("5", partner_code="acme", employee_id="E9"),
            person("6", employee_id="E1"),
            person("7", "yesterday"),
            person("8", source="facebook"),
            person("9", email=""),
            person("1", "2026-11-20T00:00:00Z", salesforce_id="003C"),
        )

        send(house, *rows)

        assert rejected(house) == {
            3: ("identity_taken", "customer_no"),
            4: ("unknown_partner", "partner_code"),
            5: ("unknown_member", "employee_id"),
            6: ("missing_value", "partner_code"),
            7: ("bad_moment", "last_modified"),
            8: ("not_in_values", "source"),
            9: ("missing_value", "email"),
            10: ("identity_taken", "salesforce_id"),
        }
        assert all("Byron" not in (row.message or "") for row in house.rows())


class TestPersonalData:
    def test_is_nowhere_in_the_clear(self, house: Hub):
        send(house, person())

        with house.database.read() as db:
            [kept] = [row._mapping for row in db.execute(select(customer_version))]
        clear = repr({name: value for name, value in kept.items() if name != "personal"})
        assert "byron" not in clear.lower()
        assert b"Byron" not in kept["personal"]
