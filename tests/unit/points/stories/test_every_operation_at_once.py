"""Many threads do any operation at once on MariaDB; told again in the order of entries, the reference ends the same."""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import Any, NamedTuple

import pytest
from sqlalchemy import select
from sqlalchemy.engine import Connection

from chalicelib.points.models.books import overdraft_repayment
from chalicelib.points.models.ledger import account
from tests.unit.points.stories import ledger_jobs
from tests.unit.points.stories.ledger_story import REFUSALS, Step, Story, follow
from tests.unit.points.stories.test_every_operation import OPERATIONS

STORIES = int(os.environ.get("TEST_LEDGER_STORIES", "2"))
THREADS = 8
ROUNDS = 5
STEPS = 60


class Done(NamedTuple):
    """What a step made. ``versions``: of each account that it changed, by account id."""

    place: int
    step: Step
    made: Any
    versions: dict[bytes, int]


@dataclass
class Telling:
    """What threads did on the same day, in the order in which they had the accounts locked."""

    story: Story
    places: Any = field(default_factory=count)
    done: list[Done] = field(default_factory=list)

    def work(self, seed: int) -> None:
        """One step, tried again as a whole when it loses a race, or refused."""
        random = Random(seed)  # noqa: S311 - repeatable choices
        step = random.choice(OPERATIONS)(self.story, random)
        if step is None:
            return
        now = self.story.now()

        def write(db: Connection) -> Done:
            made = step.real(db, now)
            changed = select(account.c.id).where(account.c.changed_at == now)
            repaid = select(overdraft_repayment.c.account_id).where(overdraft_repayment.c.repaid_at == now)
            version = select(account.c.id, account.c.entry_no + account.c.hold_changes)
            rows = db.execute(version.where(account.c.id.in_(changed.union(repaid)), account.c.kind == "member"))
            # The accounts are locked still: whoever comes to one of them later has a greater number.
            return Done(next(self.places), step, made, {row[0]: row[1] for row in rows})

        try:
            done = self.story.database.run(write)
        except REFUSALS:
            return
        step.keep(done.made)
        self.done.append(done)

    def tell_again(self) -> None:
        """Have the references do the same."""
        keys = {of.account_id: key for key, of in self.story.of.items()}
        latest: dict[bytes, int] = {}
        for each in sorted(self.done):
            for account_id, version in each.versions.items():
                assert version >= latest.get(account_id, 0), "entries are numbered in another order"
                latest[account_id] = version
            changed = {keys[account_id] for account_id in each.versions}
            for key in each.step.plain:
                # What a job did not change it may not have looked at: it locks only those to which something is due.
                if key in changed or not each.step.as_due:
                    reference = self.story.references[key]
                    reference.today = self.story.today
                    follow(each.step, key, reference, each.made)


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize("seed", range(STORIES))
def test_what_many_did_at_once_could_have_been_done_one_after_the_other(mariadb_database, seed):
    random = Random(seed)  # noqa: S311 - repeatable choices
    story = Story.begin(mariadb_database, random)
    did: set[str] = set()
    for _ in range(ROUNDS):
        telling = Telling(story)
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(telling.work, [random.getrandbits(32) for _ in range(STEPS)]))
        telling.tell_again()
        story.agree()
        did |= {each.step.name for each in telling.done}
        ledger_jobs.granted_events(story)
        story.today += random.randint(1, 4)
        leaving = ledger_jobs.leave(story, random) if random.random() < 0.3 else None
        if leaving is not None:
            story.take(leaving)
    story.prove()
    story.settle()
    assert {"earn", "redeem", "hold", "expire"} < did
