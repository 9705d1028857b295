"""Every operation in random order leaves lots, holds and totals as the reference says: nothing is made or lost."""

import os
from random import Random

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from tests.unit.points.stories import ledger_cart_steps, ledger_jobs, ledger_steps
from tests.unit.points.stories.ledger_story import PROGRAMS, Story

#: How many stories are told, and of how many steps. The longer profile is for a night.
STORIES = int(os.environ.get("TEST_LEDGER_STORIES", "5"))
STEPS = 60
#: After so many steps the chain of hashes is verified too.
PROVED_EVERY = 15
SEEDS = st.integers(0, 2**32)
OPERATIONS = [*ledger_steps.STEPS, *ledger_cart_steps.CARTS, *ledger_jobs.JOBS]


class Machine(RuleBasedStateMachine):
    """The same steps on the ledger and on the reference; both do them, or both refuse."""

    def __init__(self, database):
        super().__init__()
        self.database, self.steps = database, 0
        self.codes = set(PROGRAMS)

    @initialize(seed=SEEDS)
    def begin(self, seed):
        self.story = Story.begin(self.database, Random(seed))  # noqa: S311 - repeatable choices

    @rule(which=st.sampled_from([*OPERATIONS, *[ledger_jobs.wait] * 4, ledger_jobs.leave]), seed=SEEDS)
    def work(self, which, seed):
        step = which(self.story, Random(seed))  # noqa: S311 - repeatable choices
        if step is not None:
            self.story.take(step)
            self.codes = {code for _, code in step.plain}
        if which is ledger_jobs.grant:
            ledger_jobs.granted_events(self.story)

    @invariant()
    def agree(self):
        if hasattr(self, "story"):
            self.steps += 1
            all_of_it = not self.steps % PROVED_EVERY
            # What nobody touched is looked at less often, which is half of the time.
            self.story.agree(PROGRAMS if all_of_it else self.codes)
            if all_of_it:
                self.story.prove()

    def teardown(self):
        if hasattr(self, "story"):
            self.story.prove()
            self.story.settle()
            self.story.agree()


@pytest.mark.usefixtures("aws")
def test_every_operation_in_any_order_equals_the_reference(database):
    run_state_machine_as_test(
        lambda: Machine(database),
        settings=settings(
            max_examples=STORIES,
            stateful_step_count=STEPS,
            deadline=None,
            derandomize=True,
            # A failing story is read quickly; to make it smaller takes minutes.
            phases=[Phase.explicit, Phase.generate],
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
