"""The files and documents that the README shows do what it says they do."""

import re
from collections import Counter
from pathlib import Path

import pytest

from chalicelib.files.mending import fixing, resubmitting
from chalicelib.files.rows import recording
from chalicelib.language import parse_json
from chalicelib.partners import directory
from chalicelib.partners.onboarding import onboarding
from chalicelib.storage.engine import Database
from tests.factories.files import Hub
from tests.factories.partners import CALLER
from tests.factories.rollbacks import roll_back
from tests.factories.rules import LONG_AGO, document
from tests.factories.samples import drop, onboard

README = (Path(__file__).parents[4] / "README.md").read_text()
#: The documents of the recipes: a manifest and its rule, a code table and its layout.
JSON = [parse_json(block) for block in re.findall(r"```json\n(.+?)```", README, re.DOTALL)]
ROSTER = "aurora-air/roster/roster_2026-11-02.csv"


def file_beginning(words: str) -> str:
    """The one table of the README that begins with these words."""
    [found] = re.findall(rf"^({re.escape(words)}.*?\n)(?:```|CSV)$", README, re.MULTILINE | re.DOTALL)
    return str(found)


@pytest.fixture
def hub(sqlite_database: Database, aws: None) -> Hub:
    hub = onboard(sqlite_database, "aurora-air")
    drop(hub, ROSTER)
    return hub


def test_the_file_of_the_tour_ends_as_the_tour_shows(hub: Hub):
    file = hub.process("timesheet", file_beginning("Emp ID,"), name="hours.csv", partner="aurora-air")

    receipt = hub.receipt("hours.csv", "timesheet", "aurora-air")
    assert (file.state, file.rows_accepted, file.rows_rejected) == ("processed", 2, 2)
    assert Counter(row.code for row in hub.rows("hours.csv")) == {"unknown_member": 1, "bad_date": 1}
    assert receipt["points_posted"] == "23.25"
    assert "points posted       23.25" in README


def test_the_file_of_the_tour_is_mended_and_taken_back_as_the_tour_shows(hub: Hub):
    hub.process("timesheet", file_beginning("Emp ID,"), name="hours.csv", partner="aurora-air")
    fixes = re.findall(r'^\$ \./hub files fix \S+ (\d+) "([^"=]+)=([^"]*)"', README, re.MULTILINE)
    assert len(fixes) == 2
    file = hub.file("hours.csv")
    with hub.database.write() as db:
        work = recording.work_of(db, file, hub.partner)
        for row_no, column, text in fixes:
            fixed = fixing.fix(db, file, work, int(row_no), {column: text}, reason=None, caller=CALLER, now=hub.clock())
            assert fixed.still is None
        resubmitting.resubmit(db, file.id, None, caller=CALLER, now=hub.clock())
    assert hub.file("hours.csv").rows_accepted == 4

    run = roll_back(hub, "hours.csv")

    assert (run.undone, run.left_over) == (4, 0)
    recovered = sum(sums.recovered_minor for sums in run.sums.values())
    assert f" uniform        4   {recovered / 100:.2f}      {recovered / 100:.2f} " in README
    assert "./hub files rollback hours_2026-11-30.csv --reason" in README


@pytest.mark.usefixtures("aws")
def test_the_partner_of_the_recipe_earns_points(sqlite_database: Database):
    manifest, ruleset = JSON[:2]
    shared = [document(f"layouts/{name}") for name in ("hr_roster", "accruals")]
    bundle = {"manifest": manifest, "code_tables": [], "layouts": shared, "rulesets": [ruleset]}
    with sqlite_database.write() as db:
        onboarding.apply(db, bundle, dry_run=False, caller=CALLER, now=LONG_AGO)
        hub = Hub(sqlite_database, directory.named(db, "fjord-rail"))

    hub.process(
        "hr_roster",
        "partner_code,employee_id,action,first_name,last_name,hire_date,job_code,country,effective_date\n"
        "fjord-rail,7,A,Ada,Lund,2020-01-01,CC2,NO,2026-11-01\n",
        partner="fjord-rail",
    )
    hub.process(
        "accruals",
        "partner_code,program_code,event_id,employee_id,event_type,event_date,quantity,unit\n"
        "fjord-rail,uniform,e-1,7,HOURS,2026-11-16,7.5,HOUR\n",
        name="accruals.csv",
        partner="fjord-rail",
    )

    assert hub.receipt("accruals.csv", "accruals", "fjord-rail")["points_posted"] == "7.50"


def test_the_layout_of_the_recipe_needs_nothing_but_its_code_table(hub: Hub):
    table, layout = JSON[2:]
    bundle = {"manifest": document("partners/aurora-air"), "code_tables": [table], "layouts": [layout], "rulesets": []}
    with hub.database.write() as db:
        onboarding.apply(db, bundle, dry_run=False, caller=CALLER, now=LONG_AGO)

    file = hub.process("crew", file_beginning("STAFF|"), name="crew.csv", partner="aurora-air")

    receipt = hub.receipt("crew.csv", "crew", "aurora-air")
    assert (file.state, file.rows_accepted, file.rows_ignored) == ("processed", 3, 1)
    assert receipt["points_posted"] == "28.50"
    assert "points posted       28.50" in README
