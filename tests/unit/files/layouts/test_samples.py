"""The sample files of the repository go their way under the repository's own layouts, rules and manifests."""

import gzip
import json

import pytest

from chalicelib.language import compile_ruleset
from chalicelib.partners.members.members import by_employee, personal
from chalicelib.points.ledger import balances
from chalicelib.points.proof import checks
from chalicelib.storage.engine import Database
from tests.factories.files import Hub
from tests.factories.rules import document
from tests.factories.samples import PROGRAM_PARTNERS, SAMPLES, drop, onboard, rejected


@pytest.mark.usefixtures("aws")
class TestAuroraAir:
    @pytest.fixture
    def hub(self, database: Database) -> Hub:
        return onboard(database, "aurora-air")

    def test_the_roster_hires_by_the_partners_own_words(self, hub: Hub):
        drop(hub, "aurora-air/roster/roster_2026-11-02.csv")

        file = hub.file("roster_2026-11-02.csv")
        assert (file.state, file.rows_total, file.rows_accepted) == ("processed", 56, 52)
        assert rejected(hub, file.name) == {"no_such_part": 1, "bad_date": 1, "unknown_code": 1, "missing_value": 1}
        with hub.database.read() as db:
            members = by_employee(db, hub.partner.id, ["10083", "10059"])
            names = personal(db, [member.id for member in members.values()])
        assert names[members["10083"].id]["last_name"] == "O'Brien-Sørensen"
        assert names[members["10083"].id]["first_name"] == "Zoë"
        assert members["10059"].status == "terminated"

    def test_a_zip_code_gets_its_lost_zero_back(self, hub: Hub):
        drop(hub, "aurora-air/roster/roster_2026-11-02.csv")

        with hub.database.read() as db:
            ids = [
                member.id
                for member in by_employee(db, hub.partner.id, [str(10026 + 3 * n) for n in range(56)]).values()
            ]
            codes = {person["ship_to_postal"] for person in personal(db, ids).values()}
        assert {len(code or "") for code in codes} == {5}
        assert "02128" in codes

    def test_hours_post_points_and_every_bad_row_says_why(self, hub: Hub):
        drop(hub, "aurora-air/roster/roster_2026-11-02.csv")
        drop(hub, "aurora-air/timesheet/hours_2026-11-15.csv")

        file = hub.file("hours_2026-11-15.csv")
        assert file.state == "processed"
        assert rejected(hub, file.name) == {
            "other_content": 1,
            "unknown_member": 1,
            "unknown_code": 1,
            "bad_date": 1,
            "not_enrolled": 8,
            "original_unknown": 1,
        }
        assert (file.rows_total, file.rows_duplicate, file.rows_ignored) == (160, 1, 2)
        with hub.database.read() as db:
            assert checks.check(db, None) == []

    def test_a_compressed_file_is_the_same_as_its_content(self, hub: Hub):
        drop(hub, "aurora-air/roster/roster_2026-11-02.csv")
        drop(hub, "aurora-air/timesheet/hours_2026-10-31.csv.gz")

        file = hub.file("hours_2026-10-31.csv.gz")
        assert (file.state, file.rows_total, file.rows_accepted) == ("processed", 120, 120)
        content = gzip.decompress((SAMPLES / "aurora-air/timesheet/hours_2026-10-31.csv.gz").read_bytes())
        assert hub.read("hub-archive", f"aurora-air/{(file.sha256 or b'').hex()}.csv") == content

    def test_the_hubs_own_layouts_serve_every_partner(self, hub: Hub):
        drop(hub, "aurora-air/hr_roster/contractors_2026-11.csv")
        drop(hub, "aurora-air/accruals/contractor-hours_2026-11.csv")

        assert rejected(hub, "contractor-hours_2026-11.csv") == {"unknown_program": 1}
        [roster, accruals] = hub.files()
        assert (roster.rows_accepted, roster.rows_rejected) == (3, 2)
        assert (accruals.rows_accepted, accruals.control_in) == (4, 181_000_000)


@pytest.mark.usefixtures("aws")
class TestHarborHotels:
    @pytest.fixture
    def hub(self, database: Database) -> Hub:
        return onboard(database, "harbor-hotels")

    def test_the_roster_is_read_in_its_own_alphabet(self, hub: Hub):
        drop(hub, "harbor-hotels/roster/personal_2026-11.csv")

        file = hub.file("personal_2026-11.csv")
        assert (file.state, file.rows_accepted) == ("processed", 45)
        assert rejected(hub, file.name) == {"bad_date": 1, "unknown_code": 1, "bad_decimal": 1}
        with hub.database.read() as db:
            member = by_employee(db, hub.partner.id, ["H-20417"])["H-20417"]
            assert personal(db, [member.id])[member.id]["last_name"] == "Müller"

    def test_pay_waits_for_its_sidecar_and_agrees_with_it(self, hub: Hub):
        drop(hub, "harbor-hotels/roster/personal_2026-11.csv")
        drop(hub, "harbor-hotels/pay/lohn_2026-10.csv")
        assert hub.file("lohn_2026-10.csv").state == "waiting"

        sidecar = (SAMPLES / "harbor-hotels/pay/lohn_2026-10.ctl").read_bytes()
        hub.handle(hub.drop("pay", sidecar, name="lohn_2026-10.ctl", partner="harbor-hotels"))

        file = hub.file("lohn_2026-10.csv")
        assert (file.state, file.rows_total, file.control_source) == ("processed", 63, "sidecar")
        assert rejected(hub, file.name) == {
            "unknown_member": 1,
            "unknown_code": 1,
            "bad_decimal": 1,
            "missing_value": 1,
        }
        assert hub.keys("hub-in") == []

    def test_those_with_points_are_customers_of_the_sample_store_but_for_the_two_newest(self, hub: Hub):
        drop(hub, "harbor-hotels/roster/personal_2026-11.csv")
        drop(hub, "harbor-hotels/pay/lohn_2026-10.csv")
        sidecar = (SAMPLES / "harbor-hotels/pay/lohn_2026-10.ctl").read_bytes()
        hub.handle(hub.drop("pay", sidecar, name="lohn_2026-10.ctl", partner="harbor-hotels"))

        mapping = compile_ruleset(document("rulesets/commerce-cloud.balance"))
        with hub.database.read() as db:
            keys = balances.delivery_keys(db, hub.partner.id, "", 500)
            records = [told.record for told in balances.for_delivery(db, keys, now=hub.clock()).values()]
        numbers = {
            mapping.decide(mapping.read({name: record[name] for name in mapping.inputs}), as_of=hub.clock().date())[
                "customerNo"
            ]
            for record in records
        }
        customers = json.loads((SAMPLES / "commerce-cloud" / "customers.json").read_text())
        assert len(numbers) > 40
        assert numbers - {customer["customerNo"] for customer in customers} == {
            "harbor-hotels_H-20424",
            "harbor-hotels_H-20557",
        }


@pytest.mark.usefixtures("aws")
class TestPartnersOfPrograms:
    """Partners without a store: what their programs earn is in tests/unit/points/programs/test_sample_programs.py."""

    #: Rows that are wrong on purpose.
    REJECTED = {  # noqa: RUF012 - a table of the tests, read only
        "adjustments_2026-11.csv": {"own_adjustment": 1, "unknown_reason": 1},
        "brand-store_2026-10.csv": {"rule_refused": 1},
        "jubilee_2026-10-15.csv": {"other_content": 1},
        "plans_2027.csv": {"amount_out_of_range": 1},
        "balances_2026-10-31.csv": {"unknown_member": 1, "amount_out_of_range": 1},
        "uniform_2026-q3.csv": {"rule_refused": 1},
    }

    @pytest.mark.parametrize("code", PROGRAM_PARTNERS)
    def test_every_file_is_processed_and_the_ledger_adds_up(self, database: Database, code: str):
        hub = onboard(database, code)
        paths = sorted((SAMPLES / code).glob("*/*.csv"), key=lambda path: (path.parent.name != "hr_roster", path))

        for path in paths:
            drop(hub, f"{code}/{path.parent.name}/{path.name}")

        assert len(paths) >= 3
        for path in paths:
            assert hub.file(path.name).state == "processed", path.name
            assert rejected(hub, path.name) == self.REJECTED.get(path.name, {}), path.name
        with hub.database.read() as db:
            assert checks.check(db, None) == []
