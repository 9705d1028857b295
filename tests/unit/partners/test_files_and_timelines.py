"""Files against what people decided: rollbacks, promotions by hand, newer versions. Files never undo them."""

import contextlib
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from chalicelib.errors import Conflict
from chalicelib.language import parse_json
from chalicelib.partners import directory
from chalicelib.partners.onboarding import configuring, manifests
from chalicelib.rules import activation, canonical, catalogue, rulesets
from chalicelib.storage.engine import Database
from tests.factories.partners import CALLER, NOW
from tests.factories.rules import accrual_document
from tests.unit.partners.test_onboarding import small_bundle

pytestmark = pytest.mark.usefixtures("data_key")

RULE = "acme.accrual"
BASE = "acme.base"
JANUARY, MARCH, NOVEMBER, MID_NOVEMBER = (
    date(2026, 1, 1), date(2026, 3, 1), date(2026, 11, 1), date(2026, 11, 15)
)  # fmt: skip


class Life:
    """One partner whose rule is changed by files and by hand; each version is named by its rate."""

    def __init__(self, db, *, of_a_program: bool = True) -> None:
        self.db = db
        self.now = NOW
        #: Of no program: nothing but the files' own days says from when on it decides.
        self.of_a_program = of_a_program

    def document(self, rate: int, code: str = RULE) -> dict[str, Any]:
        return parse_json(canonical.text(accrual_document(code, rate=str(rate))))

    def files(self, rate: int | None, *, dry_run: bool = False) -> configuring.Configured:
        """Apply or plan the folder with this rate; None: without the rule."""
        self.now += timedelta(minutes=1)
        manifest = small_bundle()["manifest"]
        rules = [] if rate is None else [self.document(rate)]
        if not self.of_a_program:
            manifest["programs"][0]["ruleset"] = BASE
            rules.append(self.document(9, BASE))
        documents = {"manifests": [manifest], "layouts": [], "rulesets": rules, "code_tables": []}
        return configuring.configure(self.db, documents, shared=True, dry_run=dry_run, caller=CALLER, now=self.now)

    def activation(self, rate: int, *, dry_run: bool = False):
        [plan] = self.files(rate, dry_run=dry_run).plans
        return next(step for step in plan.steps if (step.kind, step.code) == ("activation", RULE))

    def promote(self, rate: int, day: date) -> None:
        self.now += timedelta(minutes=1)
        partner = directory.by_code(self.db, "acme")
        how = {"caller": CALLER, "now": self.now}
        saved = rulesets.save(self.db, self.document(rate), partner_id=partner.id, **how)
        rulesets.activate(self.db, RULE, saved.version_id, effective_from=day, **how)

    def roll_back(self, day: date) -> None:
        self.now += timedelta(minutes=1)
        activation.roll_back(self.db, RULE, effective_from=day, reason="wrong", caller=CALLER, now=self.now)

    def decides(self) -> list[tuple[date, int]]:
        return list(catalogue.history(self.db, RULE).decides)

    def pulled(self) -> dict[str, Any]:
        """What `hub rules pull` writes: the manifest, and of each ruleset the version that decides last."""
        manifest = manifests.of(self.db, directory.by_code(self.db, "acme")).document
        rules = [
            rulesets.by_number(self.db, code, catalogue.history(self.db, code).decides[-1][1]).document
            for code in ([RULE] if self.of_a_program else [RULE, BASE])
        ]
        return {"manifests": [manifest], "layouts": [], "rulesets": rules, "code_tables": []}


@pytest.fixture
def life(database: Database):
    with database.write() as db:
        yield Life(db)


class TestARollback:
    def test_is_not_undone_by_the_file_that_brought_the_version(self, life: Life):
        life.files(1)
        life.files(2)
        life.roll_back(JANUARY)
        assert life.decides() == [(JANUARY, 1)]

        for _ in range(2):
            step = life.activation(2)
            assert (step.action, step.changes) == (
                "withdrawn",
                [f"withdrawn on {NOW:%Y-%m-%d} by {CALLER.actor}: promote it by hand, or change the file"],
            )
            assert life.decides() == [(JANUARY, 1)]

    def test_from_a_later_day_is_not_undone_either(self, life: Life):
        life.files(1)
        life.promote(2, MARCH)
        life.roll_back(NOVEMBER)

        assert life.activation(2).action == "withdrawn"
        assert life.decides() == [(JANUARY, 1), (MARCH, 2), (NOVEMBER, 1)]

    def test_is_followed_by_a_changed_file(self, life: Life):
        life.files(1)
        life.files(2)
        life.roll_back(JANUARY)

        assert life.activation(3).action == "change"
        assert life.decides() == [(JANUARY, 3)]

    def test_is_undone_by_a_promotion_by_hand_and_then_files_change_nothing(self, life: Life):
        life.files(1)
        life.files(2)
        life.roll_back(JANUARY)
        life.promote(2, NOVEMBER)

        assert life.activation(2).action == "unchanged"
        assert life.decides() == [(JANUARY, 1), (NOVEMBER, 2)]


class TestAStaleFolder:
    def test_is_behind_and_changes_nothing(self, life: Life):
        life.files(1)
        life.promote(2, MARCH)
        life.promote(3, NOVEMBER)
        life.promote(4, MID_NOVEMBER)
        before = life.decides()

        step = life.activation(3)

        assert (step.action, step.changes) == (
            "behind",
            ["the hub has version 4 since 2026-11-15: pull first"],
        )
        assert life.decides() == before
        assert step.before["decides"] == step.after["decides"]
        assert step.before["decides"][-1] == {"effective_from": "2026-11-15", "version": 4}

    def test_with_an_edit_waits_for_a_person_where_days_were_named_by_hand(self, life: Life):
        life.files(1)
        life.promote(2, NOVEMBER)
        before = life.decides()

        step = life.activation(3)

        assert step.action == "awaits_promotion"
        assert "version 2 was promoted from 2026-11-01 by a person" in step.changes[0]
        assert life.decides() == before

    def test_that_waits_for_a_person_is_still_held_to_its_cases(self, life: Life):
        life.files(1)
        life.promote(2, NOVEMBER)
        life.document = lambda rate: accrual_document(
            RULE, rate=str(rate), cases=accrual_document(RULE, rate="9")["cases"]
        )

        with pytest.raises(configuring.onboarding.BundleRefused) as refused:
            life.files(3)

        assert "case_failed" in {fault.code for fault in refused.value.faults}


class TestTheTimeline:
    def test_is_shown_whole_before_and_after(self, life: Life):
        life.files(1)

        step = life.activation(2, dry_run=True)

        assert step.before == {"version": 1, "decides": [{"effective_from": "2026-01-01", "version": 1}]}
        assert step.after == {
            "version": 2,
            "effective_from": "2026-01-01",
            "decides": [{"effective_from": "2026-01-01", "version": 2}],
        }

    def test_of_a_version_promoted_by_hand_is_not_moved_to_where_the_file_would_begin(self, life: Life):
        life.files(1)
        life.promote(2, MARCH)
        assert life.activation(2).action == "unchanged"
        assert life.decides() == [(JANUARY, 1), (MARCH, 2)]


rates = st.integers(1, 4)
days = st.sampled_from([date(2025, 6, 1), JANUARY, MARCH, NOVEMBER, MID_NOVEMBER, date(2027, 1, 1)])
acts = st.lists(
    st.one_of(
        st.tuples(st.just("files"), rates, st.none()),
        st.tuples(st.just("promote"), rates, days),
        st.tuples(st.just("roll_back"), st.none(), days),
    ),
    max_size=7,
)
#: What only a person may do: take days away from what a person promoted, and let a withdrawn version decide.
Acts = Sequence[tuple[str, int | None, date | None]]


def do(life: Life, act: tuple[str, int | None, date | None]) -> None:
    what, rate, day = act
    if what == "files":
        life.files(rate)
    elif what == "promote":
        life.promote(rate, day)
    else:
        # Where nothing was decided before, there is nothing to go back to.
        with contextlib.suppress(Conflict):
            life.roll_back(day)


class TestOverAnyTimeline:
    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(of_a_program=st.booleans(), by_hand=st.booleans(), done=acts)
    @example(of_a_program=False, by_hand=True, done=[])
    @example(of_a_program=True, by_hand=False, done=[("promote", 2, JANUARY), ("roll_back", None, JANUARY)])
    def test_what_was_pulled_has_nothing_to_change(
        self, database: Database, *, of_a_program: bool, by_hand: bool, done: Acts
    ):
        with database.write() as db:
            life = Life(db, of_a_program=of_a_program)
            if by_hand and not of_a_program:
                life.files(None)
                life.promote(1, MARCH)
            else:
                life.files(1)
            for act in done:
                do(life, act)

            planned = configuring.configure(
                db, life.pulled(), shared=True, dry_run=True, caller=CALLER, now=life.now + timedelta(minutes=1)
            )

            assert {step.action for plan in planned.plans for step in plan.steps} == {"unchanged"}
            db.rollback()

    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(done=acts, rate=rates)
    def test_files_take_no_day_from_a_newer_version_or_from_a_person_and_bring_nothing_withdrawn_back(
        self, database: Database, done: Acts, rate: int
    ):
        with database.write() as db:
            life = Life(db)
            life.files(1)
            for act in done:
                do(life, act)
            known = catalogue.history(db, RULE)
            before = life.decides()
            by_hand = {each.number for each in known.activations if not each.by_file and each.withdraws_number is None}

            step = life.activation(rate)
            number = (
                next(
                    each for each in catalogue.history(db, RULE).versions if each.number == step.after["version"]
                ).number
                if step.after
                else None
            )
            after = life.decides()

            if before != after:
                words = [each for each in known.activations if number in {each.number, each.withdraws_number}]
                assert not words or words[-1].number == number, "it was withdrawn"
                for start, each in before:
                    if (start, each) not in after:
                        assert each < number, "it is newer"
                        came = [a for a in known.activations if a.number == each and a.effective_from <= start]
                        assert each not in by_hand or any(a.by_file for a in came), "a person named the day"
            db.rollback()
