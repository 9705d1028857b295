"""What files may change of what a ruleset decides, and what is left to a person."""

from datetime import UTC, date, datetime, timedelta

from chalicelib.rules import by_files
from chalicelib.rules.catalogue import Activated, History

JANUARY, MARCH, NOVEMBER, MID_NOVEMBER = (
    date(2026, 1, 1), date(2026, 3, 1), date(2026, 11, 1), date(2026, 11, 15)
)  # fmt: skip
START = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def came(number: int, day: date, *, hour: int, by_file: bool = False, withdraws: int | None = None) -> Activated:
    return Activated(number, day, START + timedelta(hours=hour), "usr_1", None, withdraws, by_file)


def history(*activations: Activated, decides: list[tuple[date, int]]) -> History:
    return History((), activations, tuple(decides))


class TestFiles:
    def test_bring_in_what_nothing_decides_yet(self):
        assert by_files.verdict(history(decides=[]), 1, JANUARY) is None

    def test_take_over_from_what_files_brought(self):
        found = history(came(1, JANUARY, hour=1, by_file=True), decides=[(JANUARY, 1)])
        assert by_files.verdict(found, 2, JANUARY) is None

    def test_leave_what_decides_in_the_end_where_it_is(self):
        found = history(came(1, MARCH, hour=1), decides=[(MARCH, 1)])
        for since in (JANUARY, MARCH, NOVEMBER):
            assert by_files.verdict(found, 1, since).held == "decides"

    def test_take_a_rule_along_when_its_program_begins_earlier_unless_a_person_named_the_day(self):
        found = history(came(1, MARCH, hour=1, by_file=True), decides=[(MARCH, 1)])
        assert by_files.verdict(found, 1, JANUARY) is None

    def test_are_behind_a_newer_version_and_say_since_when_it_decides(self):
        found = history(
            came(1, JANUARY, hour=1), came(3, NOVEMBER, hour=2), came(4, MID_NOVEMBER, hour=3),
            decides=[(JANUARY, 1), (NOVEMBER, 3), (MID_NOVEMBER, 4)],
        )  # fmt: skip
        for number in (1, 2, 3):
            verdict = by_files.verdict(found, number, JANUARY)
            assert (verdict.held, verdict.sentence) == (
                "behind",
                "the hub has version 4 since 2026-11-15: pull first",
            )

    def test_do_not_undo_a_rollback(self):
        found = history(
            came(1, JANUARY, hour=1, by_file=True),
            came(2, JANUARY, hour=2),
            came(1, JANUARY, hour=3, withdraws=2),
            decides=[(JANUARY, 1)],
        )
        verdict = by_files.verdict(found, 2, JANUARY)
        assert (verdict.held, verdict.sentence) == (
            "withdrawn",
            "withdrawn on 2026-11-20 by usr_1: promote it by hand, or change the file",
        )
        # What is restored came by a file, so a changed file takes over from it.
        assert by_files.verdict(found, 3, JANUARY) is None

    def test_do_not_undo_a_rollback_of_some_days_either(self):
        found = history(
            came(1, JANUARY, hour=1, by_file=True),
            came(2, MARCH, hour=2, by_file=True),
            came(1, NOVEMBER, hour=3, withdraws=2),
            decides=[(JANUARY, 1), (MARCH, 2), (NOVEMBER, 1)],
        )
        assert by_files.verdict(found, 2, JANUARY).held == "withdrawn"

    def test_follow_a_person_who_promotes_a_withdrawn_version_again(self):
        found = history(
            came(1, JANUARY, hour=1),
            came(2, JANUARY, hour=2),
            came(1, JANUARY, hour=3, withdraws=2),
            came(2, MARCH, hour=4),
            decides=[(JANUARY, 1), (MARCH, 2)],
        )
        assert by_files.verdict(found, 2, JANUARY).held == "decides"

    def test_take_no_day_away_that_a_person_named(self):
        found = history(
            came(1, JANUARY, hour=1, by_file=True),
            came(2, NOVEMBER, hour=2),
            decides=[(JANUARY, 1), (NOVEMBER, 2)],
        )
        verdict = by_files.verdict(found, 3, JANUARY)
        assert (verdict.held, verdict.sentence) == (
            "by_hand",
            "version 2 was promoted from 2026-11-01 by a person: promote this one by hand, too",
        )
        # A file that names a later day ends nothing but the last stretch.
        assert by_files.verdict(found, 3, MID_NOVEMBER) is None
