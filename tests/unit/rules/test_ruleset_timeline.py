"""Which version decides on which day: plain arithmetic over activations, then the same through the database."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event

from chalicelib.errors import InvalidInput, NotFound
from chalicelib.rules import rulesets, versions
from tests.factories.rules import AUTHOR, LONG_AGO, accrual_document, live_ruleset

JANUARY = date(2026, 1, 1)
JULY = date(2026, 7, 1)


def at(hour: int) -> datetime:
    return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=hour)


def saved(db, rate: str, **changes) -> rulesets.SavedVersion:
    return rulesets.save(db, accrual_document(rate=rate, **changes), partner_id=b"p" * 16, caller=AUTHOR, now=LONG_AGO)


def activate(db, version: rulesets.SavedVersion, day: date, now: datetime) -> bool:
    return rulesets.activate(db, "acme.accrual", version.version_id, effective_from=day, caller=AUTHOR, now=now)


_DAYS = st.integers(0, 9).map(lambda days: JANUARY + timedelta(days=days))


class TestDeciding:
    def test_a_later_activation_wins_from_its_day_on_whatever_was_planned_after_it(self):
        one, two, three = b"1", b"2", b"3"

        steps = versions.deciding([(JANUARY, at(1), one), (JULY, at(2), two), (date(2026, 3, 1), at(3), three)])

        assert steps == [(JANUARY, one), (date(2026, 3, 1), three)]

    def test_of_two_on_one_day_the_later_one_wins(self):
        assert versions.deciding([(JANUARY, at(2), b"2"), (JANUARY, at(1), b"1")]) == [(JANUARY, b"2")]

    @given(st.lists(st.tuples(_DAYS, st.sampled_from([b"1", b"2", b"3"])), max_size=8), _DAYS)
    def test_agrees_with_the_definition(self, planned, day):
        activations = [(start, at(hour), version) for hour, (start, version) in enumerate(planned)]
        reaching = [each for each in activations if each[0] <= day]
        expected = max(reaching, key=lambda each: each[1])[2] if reaching else None

        before = [version for start, version in versions.deciding(activations) if start <= day]

        assert (before[-1] if before else None) == expected


class TestTimeline:
    def test_decides_by_the_date_of_the_event(self, database):
        with database.write() as db:
            first, second = saved(db, "1.0"), saved(db, "2.0")
            activate(db, first, JANUARY, at(1))
            activate(db, second, JULY, at(2))

            timeline = rulesets.timeline(db, "acme.accrual", known_at=at(3))

            assert timeline.on(date(2025, 12, 31)) is None
            assert [timeline.on(day).number for day in (JANUARY, date(2026, 6, 30), JULY)] == [1, 1, 2]

    def test_knows_nothing_of_what_was_activated_later(self, database):
        with database.write() as db:
            first, second = saved(db, "1.0"), saved(db, "2.0")
            activate(db, first, JANUARY, at(1))
            activate(db, second, JANUARY, at(5))

            assert rulesets.timeline(db, "acme.accrual", known_at=at(4)).on(JULY).number == 1
            assert rulesets.timeline(db, "acme.accrual", known_at=at(5)).on(JULY).number == 2
            assert rulesets.timeline(db, "acme.accrual", known_at=at(0)).on(JULY) is None

    def test_of_an_unknown_ruleset_decides_nothing(self, database):
        with database.read() as db:
            assert rulesets.timeline(db, "nobody.accrual", known_at=at(0)).on(JULY) is None

    def test_a_version_stops_after_the_last_day_of_its_document(self, database):
        period = {"from": "2026-01-01", "to": "2026-06-30"}
        with database.write() as db:
            activate(db, saved(db, "1.0", effective=period), JANUARY, at(1))

            timeline = rulesets.timeline(db, "acme.accrual", known_at=at(2))

            assert timeline.on(date(2026, 6, 30)).number == 1
            assert timeline.on(JULY) is None

    def test_asks_the_database_once_when_the_versions_are_known(self, database):
        with database.write() as db:
            live_ruleset(db, b"p" * 16, accrual_document())
        statements: list[str] = []
        event.listen(database.engine, "before_cursor_execute", lambda *call: statements.append(call[2]))

        with database.read() as db:
            timeline = rulesets.timeline(db, "acme.accrual", known_at=at(1))
            version = timeline.on(JULY)
            again = rulesets.timeline(db, "acme.accrual", known_at=at(1)).on(JULY)

        assert len([each for each in statements if each.startswith("SELECT")]) == 2
        assert version is again
        assert version.compiled is again.compiled

    def test_several_rulesets_are_read_in_one_statement(self, database):
        with database.write() as db:
            for code in ("acme.accrual", "acme.bonus"):
                live_ruleset(db, b"p" * 16, accrual_document(code))

            found = rulesets.timelines(db, ["acme.accrual", "acme.bonus", "acme.none"], known_at=at(1))

        assert [found[code].on(JULY) is not None for code in ("acme.accrual", "acme.bonus", "acme.none")] == [
            True,
            True,
            False,
        ]

    def test_keeps_a_bounded_number_of_versions(self, sqlite_database, monkeypatch):
        monkeypatch.setattr(versions, "CACHED_VERSIONS_MAX", 2)
        with sqlite_database.write() as db:
            made = [saved(db, rate) for rate in ("1.0", "2.0", "3.0")]
            found = [rulesets.version(db, each.version_id) for each in made]

            assert [each.number for each in found] == [1, 2, 3]
            assert len(versions._cache) == 2
            assert rulesets.version(db, made[0].version_id).document == found[0].document


class TestVersion:
    def test_is_found_by_number_and_by_id(self, database):
        with database.write() as db:
            made = saved(db, "1.0")

            assert rulesets.by_number(db, "acme.accrual", 1).version_id == made.version_id
            assert rulesets.version(db, made.version_id).content_hash == made.content_hash

    def test_unknown_ones_are_not_found(self, database):
        with database.write() as db:
            saved(db, "1.0")
            with pytest.raises(NotFound):
                rulesets.by_number(db, "acme.accrual", 2)
            with pytest.raises(NotFound):
                rulesets.version(db, b"x" * 16)


class TestPeriod:
    def test_a_version_cannot_start_before_the_first_day_of_its_document(self, database):
        with database.write() as db:
            made = saved(db, "1.0", effective={"from": "2026-07-01", "to": None})

            with pytest.raises(InvalidInput, match="meant for 2026-07-01 and later"):
                activate(db, made, JANUARY, at(1))
            assert activate(db, made, JULY, at(1))
