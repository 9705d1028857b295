"""Whom an event concerns: one event asks in fewer statements than a batch, and sees the same."""

from datetime import UTC, date, datetime
from itertools import product

import pytest

from chalicelib.partners.members import enrolments
from chalicelib.points.deciding import screening
from tests.factories import partners, rules
from tests.factories.points import CALLER, NOW, event

HIRED, CHANGED, LEFT, FORESEEN = date(2024, 10, 1), date(2026, 6, 1), date(2026, 10, 15), date(2026, 12, 1)


@pytest.fixture
def partner(database, earning):
    """E1 will change in December, E2 changed in June 2026, E3 left in October, E4 is enrolled in October only."""
    partner = earning.partner
    with database.write() as db:
        partners.make_members(db, partner, 4)
        rows = [
            partners.roster_row("E0001", action="C", grade="G7", effective_date=FORESEEN),
            partners.roster_row("E0002", action="C", grade="G9", effective_date=CHANGED),
            partners.roster_row("E0003", action="T", term_date=LEFT, effective_date=LEFT),
        ]
        assert partners.apply_rows(db, partner, rows) == ["accepted"] * 3
        fourth = partners.members.by_employee(db, partner.id, ["E0004"])["E0004"]
        period = {"valid_from": date(2026, 10, 1), "valid_to": date(2026, 10, 31)}
        enrolments.enrol(db, earning.program, fourth.id, **period, caller=CALLER, now=NOW)
    return partner


EMPLOYEES = ["E0001", "E0002", "E0003", "E0004", "E9999"]
DAYS = [
    date(2020, 1, 1),
    HIRED,
    date(2025, 6, 1),
    date(2026, 5, 31),
    CHANGED,
    date(2026, 9, 30),
    date(2026, 10, 1),
    date(2026, 10, 15),
    date(2026, 10, 16),
    date(2026, 11, 1),
    date(2027, 1, 1),
]


def test_a_single_event_sees_what_a_batch_sees(database, partner):
    with database.read() as db:
        for employee_id, day, program_code in product(EMPLOYEES, DAYS, ["uniform", "shoes"]):
            asked = event(event_id="one", employee_id=employee_id, event_date=day, program_code=program_code)
            alone = screening.screen(db, partner.id, {0: asked}, now=NOW)
            together = screening.screen(db, partner.id, {0: asked, 1: event(employee_id="E0001")}, now=NOW)

            assert alone.refused == {index: each for index, each in together.refused.items() if index == 0}
            assert alone.questions == [each for each in together.questions if each.at == 0]


def test_the_days_tell_the_facts_apart(database, partner):
    with database.read() as db:
        seen = [
            screening.screen(db, partner.id, {0: event(employee_id="E0002", event_date=day)}, now=NOW).questions
            for day in (date(2026, 5, 31), CHANGED)
        ]

    assert [question.member.attributes["grade"] for [question] in seen] == ["G5", "G9"]


class TestTheDay:
    """The program's clock is Chicago's: at 05:59 UTC of 20 November it is still the 19th there."""

    @pytest.mark.parametrize(
        ("now", "latest"),
        [
            (datetime(2026, 11, 20, 5, 59, tzinfo=UTC), date(2026, 11, 20)),
            (datetime(2026, 11, 20, 6, 0, tzinfo=UTC), date(2026, 11, 21)),
        ],
    )
    def test_is_at_most_the_one_after_the_programs(self, database, earning, now, latest):
        days = [latest, latest + date.resolution, date.max]
        with database.read() as db:
            events = {index: event(event_date=day) for index, day in enumerate(days)}
            screened = screening.screen(db, earning.partner.id, events, now=now)

        assert [question.at for question in screened.questions] == [0]
        assert {index: each.code for index, each in screened.refused.items()} == dict.fromkeys(
            [1, 2], "event_in_future"
        )

    def test_is_the_programs_first_or_later_whoever_is_enrolled(self, database, earning):
        first = earning.program.effective_from
        with database.write() as db:
            rules.live_ruleset(db, earning.partner.id, earning.version.document, effective_from=HIRED)
            eve = {"valid_from": HIRED, "valid_to": first - date.resolution}
            enrolments.enrol(db, earning.program, earning.member.id, **eve, caller=CALLER, now=NOW)
            events = {0: event(event_date=first - date.resolution), 1: event(event_date=first)}
            screened = screening.screen(db, earning.partner.id, events, now=NOW)

        assert [question.at for question in screened.questions] == [1]
        assert (screened.refused[0].code, screened.refused[0].column) == ("before_program", "event_date")

    def test_is_one_on_which_the_member_is_enrolled(self, database, partner):
        with database.read() as db:
            events = {0: event(employee_id="E0004", event_date=date(2026, 11, 1))}
            screened = screening.screen(db, partner.id, events, now=NOW)

        assert (screened.refused[0].code, screened.refused[0].column) == ("not_enrolled", "employee_id")
