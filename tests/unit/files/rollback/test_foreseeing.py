"""A large file's rollback is reckoned: it says what the tried one says, row by row, and writes nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.errors import Unprocessable
from chalicelib.files.register.rollbacks import Kept, Rollback
from chalicelib.files.rollback import foreseeing, way
from tests.factories import partners, points
from tests.factories.files import Hub, hours, people, person
from tests.factories.rollbacks import ADMIN, available, of_member, roll_back, spend, with_policy
from tests.factories.shared_layouts import agree, content
from tests.unit.files.intake.test_trying import dump
from tests.unit.files.mending.test_mending import fix, resubmit
from tests.unit.files.rollback.test_rollback_of_points import balance, correcting, points_of

STORY = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
days = st.dates(date(2026, 10, 1), date(2026, 11, 19))
stories = st.lists(st.tuples(st.integers(0, 2), days, st.integers(0, 12)), min_size=1, max_size=8)
policies = st.sampled_from(["refuse", "overdraft", "partial"])
_numbers = count(1)


@contextmanager
def large() -> Iterator[None]:
    """Every file counts as a large one, of which two accounts are gone through at a time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(way, "FORESEEN_ROWS_MAX", 0)
        patch.setattr(foreseeing, "_ACCOUNTS_READ", 2)
        yield


def foreseen(hub: Hub, name: str) -> tuple[Rollback, list[Kept]]:
    file = hub.file(name)
    with hub.database.write() as db:
        return way.foresee(db, file.id, reason="?", caller=ADMIN, now=hub.clock(), listed=100)


def same(hub: Hub, name: str) -> int:
    """The reckoned rollback says what the tried one says; how many things would stay."""
    tried, stays = foreseen(hub, name)
    with large():
        reckoned, kept = foreseen(hub, name)
    assert (reckoned.undone, reckoned.left_over, reckoned.sums) == (tried.undone, tried.left_over, tried.sums)
    assert sorted(each[1:] for each in map(_told, kept)) == sorted(each[1:] for each in map(_told, stays))
    assert [each.number for each in kept] == list(range(1, len(kept) + 1))
    return tried.left_over


def _told(each: Kept) -> tuple[object, ...]:
    return each.number, each.kind, each.subject_id, each.row_no or 0, each.code, each.amount_minor


def some_members(hub: Hub) -> list[str]:
    number = next(_numbers)
    names = [f"{letter}{number}" for letter in "ABC"]
    with hub.database.write() as db:
        for name in names:
            partners.make_member(db, hub.partner, name)
    return names


def spend_share(hub: Hub, names: list[str], shares: list[int]) -> None:
    for name, share in zip(names, shares, strict=True):
        amount = available(hub, name) * share // 100
        if amount:
            spend(hub, name, amount)


class TestAccruals:
    @STORY
    @given(
        before=stories, rows=stories, after=stories, shares=st.lists(st.integers(0, 100), min_size=3, max_size=3),
        policy=policies,
    )  # fmt: skip
    def test_come_to_what_the_trial_says(self, hub, before, rows, after, shares, policy):
        with_policy(hub, policy)
        names = some_members(hub)
        for part, story in (("before", before), ("wrong", rows), ("after", after)):
            lines = [f"{names[0]}{part}{at},{names[who]},{day},{hour}" for at, (who, day, hour) in enumerate(story)]
            hub.process("hours", hours(*lines), name=f"{names[0]}{part}.csv")
        spend_share(hub, names, shares)

        same(hub, f"{names[0]}wrong.csv")

    def test_of_points_that_are_only_held_stay_where_the_rest_would_be_given_up(self, hub: Hub):
        with_policy(hub, "partial")
        hub.process("hours", hours("a,E1,2026-11-02,8", "b,E1,2026-11-03,4"))
        spend(hub, "E1", 500)
        with hub.database.write() as db:
            points.hold(db, of_member(hub, "E1"), 400, now=hub.clock())

        assert same(hub, "file.csv") == 1

    def test_of_rows_that_were_mended_go_first(self, hub: Hub):
        hub.process("hours", hours("a,E1,2026-11-02,8", "b,E9,2026-11-02,4", "c,E1,2026-11-03,2"))
        fix(hub, 2, {"id": "E1"})
        resubmit(hub)
        spend(hub, "E1", 900)

        assert same(hub, "file.csv") == 1

    def test_write_nothing(self, hub: Hub):
        hub.process("hours", hours("a,E1,2026-11-02,8"))
        before = dump(hub.database)

        with large():
            foreseen(hub, "file.csv")

        assert dump(hub.database) == before

    def test_of_too_many_rows_are_not_reckoned(self, hub: Hub, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(foreseeing, "ROWS_MAX", 0)
        hub.process("hours", hours("a,E1,2026-11-02,8"))

        with large(), pytest.raises(Unprocessable) as refused:
            foreseen(hub, "file.csv")

        assert refused.value.code == "too_large_to_try"


class TestOthers:
    @pytest.fixture(autouse=True)
    def _agreed(self, hub: Hub) -> None:
        with hub.database.write() as db:
            agree(db, hub.partner.id, "opening_balances")

    @STORY
    @given(rows=stories, shares=st.lists(st.integers(0, 100), min_size=3, max_size=3), policy=policies)
    def test_balances_come_to_what_the_trial_says(self, hub, rows, shares, policy):
        correcting(hub, policy)
        names = some_members(hub)
        lines = [
            balance(names[who], points_of(100 * hour + 1), f"{names[0]}{at}", str(min(day, date(2026, 11, 10))))
            for at, (who, day, hour) in enumerate(rows)
        ]
        hub.process("opening_balances", content("opening_balances", *lines), name=f"{names[0]}.csv")
        spend_share(hub, names, shares)

        same(hub, f"{names[0]}.csv")

    def test_members_come_to_what_the_trial_says(self, hub: Hub):
        wrong = people(*[person(f"N{number}", day="2026-10-01") for number in range(5)], person("E1"))
        hub.process("people", wrong, name="people.csv")
        hub.process("people", people(person("N1", action="C", day="2026-11-09")), name="later.csv")
        hub.process("hours", hours("a,N2,2026-11-02,8"))

        assert same(hub, "people.csv") == 2


def test_what_was_reckoned_is_what_comes(hub: Hub):
    hub.process("hours", hours("a,E1,2026-11-02,8", "b,E2,2026-11-02,4"))
    spend(hub, "E1", 100)
    with large():
        reckoned, _ = foreseen(hub, "file.csv")

    run = roll_back(hub)

    assert (run.undone, run.left_over, run.sums) == (reckoned.undone, reckoned.left_over, reckoned.sums)
