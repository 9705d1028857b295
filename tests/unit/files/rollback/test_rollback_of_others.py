"""Rosters and code tables that were wrong are taken back where nobody spoke later; what stays is told."""

from dataclasses import replace
from datetime import date

import pytest
from sqlalchemy import insert, select

from chalicelib.operations import erasure
from chalicelib.partners.members import members
from chalicelib.partners.models.house import customer
from chalicelib.partners.models.partners import enrolment, member, member_history, member_identity
from chalicelib.partners.programs import programs
from chalicelib.points.corrections import adjustments
from chalicelib.points.corrections.adjustments import NewAdjustment
from chalicelib.points.terms import increases
from chalicelib.rules import code_tables
from chalicelib.storage.ids import new_id
from tests.factories import rules
from tests.factories.code_tables import agree, entries
from tests.factories.files import hours, make_hub, people, people_layout, person
from tests.factories.partners import CALLER
from tests.factories.rollbacks import available, left, roll_back
from tests.unit.files.rollback.test_foreseeing import same

STATE = (
    "status",
    "hire_date",
    "term_date",
    "effective_date",
    "next_effective_date",
    "job_code",
    "country",
    "attributes",
)


def state(hub):
    """How all members stand: facts, numbers and enrolments, by employee."""
    with hub.database.read() as db:
        columns = [member.c[name] for name in ("id", "employee_id", *STATE)]
        found = {row.employee_id: row for row in db.execute(select(*columns).order_by(member.c.employee_id))}
        shown = {}
        for number, row in found.items():
            periods = [
                [
                    tuple(period)
                    for period in db.execute(
                        select(table.c.valid_from, table.c.valid_to)
                        .where(
                            table.c.member_id == row.id,
                            table.c.valid_to.is_(None) | (table.c.valid_to >= table.c.valid_from),
                        )
                        .order_by(table.c.valid_from)
                    )
                ]
                for table in (enrolment, member_identity)
            ]
            shown[number] = (tuple(row)[2:], *periods)
        names = members.personal(db, [row.id for row in found.values()])
    return {number: (*facts, names[found[number].id]) for number, facts in shown.items()}


def changed(employee_id, job="PILOT", day="2026-11-05", action="C"):
    return person(employee_id, action=action, day=day).replace("CREW", job).replace("Dolores", "Lola")


def asks_for_points(db, hub, of):
    changed = replace(programs.spec_of(hub.program), corrections={"second_person_above": "0"})
    program = programs.change(db, hub.program, changed, caller=CALLER, now=hub.clock())
    wanted = NewAdjustment(of.id, 5000, "ref", "correction")
    assert adjustments.request(db, program, wanted, caller=CALLER, now=hub.clock())[0].state == "pending"


def asks_for_more(db, hub, of):
    changed = replace(programs.spec_of(hub.program), terms={"increases": {"request_max": "50"}})
    program = programs.change(db, hub.program, changed, caller=CALLER, now=hub.clock())
    increases.request(db, program, of.id, 100, reference="more", reason="torn", caller=CALLER, now=hub.clock())


def is_a_customer(db, hub, of):
    times = dict.fromkeys(("created_at", "changed_at"), hub.clock())
    db.execute(insert(customer), {"id": new_id(), "partner_id": hub.partner.id, "member_id": of.id, **times})


def is_erased(db, hub, of):
    erasure.request(db, of.id, reason="asked for it", caller=CALLER, now=hub.clock())


#: What else may be kept of a member of whom only one roster ever spoke, and who never earned anything.
KEPT = {
    "adjustment": asks_for_points,
    "increase": asks_for_more,
    "customer": is_a_customer,
    "erasure": is_erased,
}


class TestARoster:
    def test_is_undone_and_may_come_again(self, hub):
        before = state(hub)
        wrong = people(changed("E1"), person("E2", action="T", day="2026-11-03"), person("E9"), person("E8"))
        hub.process("people", wrong)
        after = state(hub)
        assert after != before

        run = roll_back(hub)

        assert (run.undone, run.left_over, hub.file().state) == (4, 0, "rolled_back")
        assert state(hub) == before
        again = hub.process("people", wrong, name="again.csv")
        assert (again.state, again.rows_accepted, state(hub)) == ("processed", 4, after)

    def test_lets_what_it_corrected_hold_again(self, hub):
        hub.process("people", people(changed("E1", job="COOK")), name="first.csv")
        before = state(hub)
        hub.process("people", people(changed("E1", job="PILOT")))

        roll_back(hub)

        assert state(hub) == before
        hub.process("people", people(changed("E1", job="CHIEF")), name="third.csv")
        assert state(hub)["E1"][0][STATE.index("job_code")] == "CHIEF"
        roll_back(hub, "third.csv")
        assert state(hub) == before

    def test_of_whom_a_later_file_spoke_stays_and_is_told(self, hub):
        hub.process("people", people(changed("E1"), changed("E2")))
        hub.process("people", people(changed("E1", job="COOK", day="2026-11-09")), name="later.csv")
        before = state(hub)

        run = roll_back(hub)

        assert run.undone == 1
        assert [(each.kind, each.code) for each in left(hub, run)] == [("member", "member_changed_since")]
        assert state(hub)["E1"] == before["E1"]
        assert state(hub)["E2"][0][STATE.index("job_code")] != "PILOT"

    def test_who_has_earned_is_not_forgotten(self, hub):
        hub.process("people", people(person("E9", day="2026-10-01"), person("E8")), name="people.csv")
        hub.process("hours", hours("e1,E9,2026-11-02,8"))

        run = roll_back(hub, "people.csv")

        assert (run.undone, [each.code for each in left(hub, run)]) == (1, ["member_in_use"])
        assert (available(hub, "E9"), "E8" in state(hub)) == (1200, False)

    @pytest.mark.parametrize("waiting", KEPT)
    def test_of_whom_anything_else_is_kept_is_not_forgotten(self, hub, waiting):
        hub.process("people", people(person("E9"), person("E8")), name="people.csv")
        with hub.database.write() as db:
            kept = members.by_employee(db, hub.partner.id, ["E9"])["E9"]
            KEPT[waiting](db, hub, kept)
        assert same(hub, "people.csv") == 1

        run = roll_back(hub, "people.csv")

        assert (run.undone, [each.code for each in left(hub, run)]) == (1, ["member_in_use"])
        with hub.database.read() as db:
            assert members.by_ids(db, [kept.id]).keys() == {kept.id}

    def test_makes_hours_of_whom_it_brought_wait_again(self, hub):
        hub.process("people", people(person("E9", day="2026-10-01")), name="people.csv")
        roll_back(hub, "people.csv")
        hub.process("hours", hours("e1,E9,2026-11-02,8"))
        assert hub.rows()[0].code == "unknown_member"

        hub.process("people", people(person("E9", day="2026-10-01")), name="again.csv")
        assert available(hub, "E9") == 1200

    @pytest.mark.usefixtures("aws")
    def test_of_everybody_brings_back_whom_it_left_out(self, database):
        staff = people_layout(id="acme.staff", name="staff", rank=11, mode="snapshot", terminate_share_max="0.5")
        hub = make_hub(database, people_layout(), staff)
        before = state(hub)
        hub.process("staff", people(*[person(each, day="2026-11-10") for each in ("E1", "E2")]))
        assert state(hub)["E3"][0][0] == "terminated"

        run = roll_back(hub)

        assert (run.undone, state(hub)) == (3, before)

    def test_keeps_what_it_said(self, hub):
        hub.process("people", people(changed("E1")))
        roll_back(hub)
        with hub.database.read() as db:
            query = select(member_history.c.revision, member_history.c.superseded_at.is_not(None)).where(
                member_history.c.source_id == hub.file().id
            )
            assert [tuple(row) for row in db.execute(query)] == [(-1, True)]


class TestCodeTables:
    @pytest.fixture
    def grades(self, hub):
        with hub.database.write() as db:
            agree(db, hub.partner.id)
            rules.code_table(db, hub.partner.id, rules.table_document("acme.grade"))
        return hub

    def meaning(self, hub):
        with hub.database.read() as db:
            return [code_tables.resolve(db, ["acme.grade"], on=date(2026, month, 2)) for month in (1, 7, 11)]

    FILE = entries(
        "acme.grade,G1,11,,true,2026-07-01,",
        "acme.grade,G2,20,,false,2026-10-01,",
        "acme.grade,G7,7,,true,2026-07-01,",
    )

    def test_mean_again_what_they_meant(self, grades):
        before = self.meaning(grades)
        grades.process("code_tables", self.FILE)
        after = self.meaning(grades)
        assert after != before

        run = roll_back(grades)

        assert (run.left_over, self.meaning(grades)) == (0, before)
        grades.process("code_tables", self.FILE, name="again.csv")
        assert self.meaning(grades) == after

    def test_that_were_changed_since_stay_and_are_told(self, grades):
        grades.process("code_tables", self.FILE)
        grades.process("code_tables", entries("acme.grade,G1,12,,true,2026-09-01,"), name="later.csv")

        run = roll_back(grades)

        assert [(each.kind, each.entry_code, each.code) for each in left(grades, run)] == [
            ("entry", "G1", "entry_changed_since")
        ]
        assert "G7" not in self.meaning(grades)[2]["acme.grade"]
