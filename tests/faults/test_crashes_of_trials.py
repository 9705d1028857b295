"""Large files that are tried and processed again, with a crash at every seam: on SQLite, once."""

from datetime import timedelta
from typing import Any

import pytest

from chalicelib.access.caller import Caller
from chalicelib.files.formats import archive
from chalicelib.files.intake import arrivals
from chalicelib.files.register import trials
from chalicelib.files.trials import comparing, parting, validating
from chalicelib.partners import directory
from chalicelib.points.proof import checks
from chalicelib.settings import settings
from chalicelib.storage import objects, queues
from tests.factories import rules
from tests.factories.files import hours
from tests.faults.test_crashes import survives_every_crash
from tests.faults.world import World

pytestmark = [
    pytest.mark.filterwarnings(
        "ignore:.*(SpooledTemporaryFile|socket).*:pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning"
    ),
    pytest.mark.parametrize("database", ["sqlite"], indirect=True),
]
CALLER = Caller("usr_00000000000000000000000001", "trial")
ROWS = hours("a1,E1,2026-11-02,8", "a2,E2,2026-11-02,4", "a1,E2,2026-11-03,1", "a4,E99,2026-11-03,1")


def test_a_trial_ends_as_if_nothing_had_happened(record_property: Any, world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(parting, "PART_ROWS", 2)
    world.restore(world.snapshot())
    with world.database.write() as db:
        partner = directory.by_code(db, "acme")
        assert partner is not None
        size = len(ROWS)
        asked, upload = validating.request(
            db, partner, "hours", "big.csv", size_bytes=size, caller=CALLER, now=world.clock()
        )
        trials.begin(db, asked.id, now=world.clock())

    def prepare() -> None:
        objects.put(arrivals.inbox(), upload.object_key, ROWS.encode())
        queues.send(settings().queue("files"), {"trial": asked.public_id, "part": 0})

    survives_every_crash(record_property, world, prepare, lambda _: world.work(), "crash", "trial")

    with world.database.read() as db:
        done = trials.load(db, asked.id)
    file = done.found["file"]
    assert (done.state, file["rows_accepted"], file["rows_rejected"]) == ("done", 2, 2)
    assert objects.head(arrivals.inbox(), upload.object_key) is None


def test_processing_again_ends_as_if_nothing_had_happened(
    record_property: Any, world: World, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(parting, "PART_ROWS", 2)
    world.restore(world.snapshot())
    world.intake(world.drop(content=ROWS))
    world.settle()
    # The world is restored to the present, in which the rule below has to be known.
    world.lateness = timedelta()
    [file] = world.files()
    with world.database.write() as db:
        partner = directory.by_code(db, "acme")
        assert partner is not None
        rules.live_ruleset(db, partner.id, rules.accrual_document("acme.accrual", rate="2"), now=world.clock())
        compared = comparing.request(db, file, partner, "latest", caller=CALLER, now=world.clock())
    world.intake({"trial": compared.public_id})
    with world.database.write() as db:
        seen = trials.load(db, compared.id)
        asked = comparing.request_effect(db, seen, reason="a new rate", caller=CALLER, now=world.clock())
    assert file.sha256 is not None
    kept = archive.key_of("acme", file.sha256)

    def prepare() -> None:
        objects.put(archive.bucket(), kept, ROWS.encode())
        queues.send(settings().queue("files"), {"trial": asked.public_id, "part": 0})

    survives_every_crash(record_property, world, prepare, lambda _: world.work(), "crash", "large reprocessing")

    with world.database.read() as db:
        made = trials.load(db, asked.id)
        assert checks.check(db) == []
    assert made.found["left"] == dict.fromkeys(made.found["left"], 0)
    assert (made.state, made.found["differing"]) == ("done", seen.found["differing"])
    assert seen.found["differing"] == 2
