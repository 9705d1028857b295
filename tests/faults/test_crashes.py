"""A handler that dies at any statement, commit or call, and is run again, leaves what an undisturbed run leaves."""

import importlib
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import pytest

from chalicelib.access.caller import Caller
from chalicelib.files.register import rollbacks
from chalicelib.files.rows import retrying
from chalicelib.partners import directory
from chalicelib.partners.members import members
from chalicelib.partners.programs import programs
from chalicelib.points.proof import checks
from chalicelib.points.spending import redemptions
from chalicelib.points.spending.redemptions import Line
from chalicelib.settings import settings
from chalicelib.storage import bulk, engine, queues
from chalicelib.storage.ids import public_id
from chalicelib.web import authentication
from tests.factories.access import make_partner_key
from tests.factories.gateway import Api
from tests.faults.dump import text
from tests.faults.tripwire import Edge, Mode, Tripwire, armed
from tests.faults.world import EARLY, ENTRIES, ROSTER, STAFF, Snapshot, World, dying

#: What two honest runs may differ in: times and identifiers inside receipts.
_VOLATILE_TEXT = re.compile(
    r"\b[a-z]{3}_[0-9a-hjkmnp-tv-z]{26}\b|\d{4}-\d\d-\d\dT[\d:.]+(?:Z|\+00:00)|\"last_modified\": \"[^\"]*\""
)
#: How much of a statement a failure names.
_SHOWN = 90
ACCRUAL = {
    "program_code": "uniform",
    "event_id": "once",
    "employee_id": "E1",
    "event_type": "HOURS",
    "event_date": "2026-11-02",
    "quantity": "10",
    "unit": "HOUR",
}


def comparable(world: World) -> str:
    return _VOLATILE_TEXT.sub("<volatile>", text(world.outcome()))


def survives_every_crash(
    record: Callable[[str, object], None],
    world: World,
    prepare: Callable[[], Any],
    handler: Callable[[Any], None],
    mode: Mode,
    name: str,
    *,
    known: Collection[Edge] = (),
) -> None:
    """Crash ``handler`` at each of its seams in turn, let the hub come to rest, and compare.

    With ``known`` edges, which another test crosses too, only at seams that are new, each where it is crossed first.
    On MariaDB, which is slower, never after a SELECT: nothing has changed since before it, where it is crashed too.
    """
    start = world.snapshot()
    for _warming_up in (True, False):
        world.restore(start)
        given = prepare()
        handler(given)
        world.settle()
        expected = comparable(world)
    edges = crossed_by(world, start, prepare, handler)
    every = not engine.is_mysql(world.database.engine)
    numbers = new_seams(edges, known) if known else [at for at, edge in enumerate(edges, 1) if every or _changes(edge)]
    survived = 0
    for number in numbers:
        world.restore(start)
        given = prepare()
        wire = Tripwire(number, mode)
        with dying() as died, armed(wire, world.database):
            handler(given)
        assert wire.tripped, f"There is no seam {number} of {len(edges)} this time."
        world.database.engine.dispose()
        where = f"{mode} at seam {number}, {wire.crossed[number - 1][:_SHOWN]}: {died}"
        try:
            world.settle()
        except Exception as error:
            raise AssertionError(f"The hub does not recover from a {where}.") from error
        assert comparable(world) == expected, where
        survived += 1
    # Printed at the end of the test session (tests/conftest.py), also when workers run the tests.
    record("figure", f"{name}, {mode}, {world.database.engine.dialect.name}: {survived} crash points survived")
    assert survived == len(numbers) > 0


def crossed_by(world: World, start: Snapshot, prepare: Callable[[], Any], handler: Callable[[Any], None]) -> list[Edge]:
    """The edges that an undisturbed handler crosses, in order."""
    world.restore(start)
    given = prepare()
    with armed(Tripwire(), world.database) as wire:
        handler(given)
    return wire.edges


def new_seams(edges: Sequence[Edge], known: Collection[Edge]) -> list[int]:
    """The numbers of the seams whose edge is not known and is crossed for the first time.

    Those after a SELECT are left out.
    """
    first: dict[Edge, int] = {}
    for number, edge in enumerate(edges, 1):
        if _changes(edge):
            first.setdefault(edge, number)
    return [number for edge, number in first.items() if edge not in known]


def _changes(edge: Edge) -> bool:
    """Whether something may have changed since the seam before it."""
    return not edge[1].startswith("after SELECT")


#: moto keeps objects in temporary files, and a handler that died leaves sockets, to the garbage collector.
pytestmark = pytest.mark.filterwarnings(
    "ignore:.*(SpooledTemporaryFile|socket).*:pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning"
)


@pytest.mark.parametrize("mode", ["crash", "dead"])
class TestTheFileHandler:
    def test_ends_as_if_nothing_had_happened(self, record_property, world: World, mode: Mode):
        survives_every_crash(record_property, world, world.drop, world.intake, mode, "file handler")


class TestTheFileHandlerOnOtherWays:
    """What the way of one hours file does not cross: only there is crashed."""

    @pytest.fixture
    def known(self, world: World) -> list[Edge]:
        """The edges on the way of one hours file."""
        start = world.snapshot()
        # Twice, because what is asked for once a process is asked for in the first run.
        for _warming_up in (True, False):
            edges = crossed_by(world, start, world.drop, world.intake)
        world.restore(start)
        return edges

    def test_a_roster_and_a_snapshot_that_let_early_hours_be_tried_again(
        self, record_property, world: World, known: list[Edge], monkeypatch: pytest.MonkeyPatch
    ):
        world.drop(content=EARLY)
        world.settle()
        monkeypatch.setattr(retrying, "BATCH_ROWS", 2)
        world.patience = 1

        def prepare() -> None:
            world.drop("people", ROSTER)
            world.drop("staff", STAFF)

        survives_every_crash(
            record_property, world, prepare, lambda _: world.work(), "crash", "rosters and retries", known=known
        )
        files = {file.layout_name: file for file in world.files()}
        assert {name: (file.state, file.rows_accepted, file.rows_rejected) for name, file in files.items()} == {
            "hours": ("processed", 3, 1),
            "people": ("processed", 3, 1),
            "staff": ("processed", 3, 1),
        }
        assert files["staff"].rows_absent == 1

    def test_entries_of_code_tables_that_come_as_a_file(self, record_property, world: World, known: list[Edge]):
        def prepare() -> Any:
            return world.drop("code_tables", ENTRIES)

        survives_every_crash(record_property, world, prepare, world.intake, "crash", "code tables", known=known)
        [file] = [file for file in world.files() if file.layout_name == "code_tables"]
        assert (file.state, file.rows_accepted, file.rows_rejected, file.rows_duplicate) == ("processed", 3, 1, 1)

    @pytest.mark.parametrize("mode", ["crash", "dead"])
    def test_hours_that_continue_by_message_after_message(
        self, record_property, world: World, known: list[Edge], mode: Mode
    ):
        world.patience = 1

        survives_every_crash(
            record_property, world, world.drop, lambda _: world.work(), mode, "continuation", known=known
        )

    @pytest.mark.parametrize("database", ["mariadb"], indirect=True)
    @pytest.mark.parametrize("mode", ["crash", "dead"])
    def test_rows_that_are_loaded_as_files(
        self, record_property, world: World, known: list[Edge], mode: Mode, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(bulk, "_LOAD_ROWS_MIN", 1)

        survives_every_crash(record_property, world, world.drop, world.intake, mode, "LOAD DATA", known=known)


@pytest.mark.parametrize("mode", ["crash", "dead"])
class TestTheRollbackOfAFile:
    """Rows that were tried again among them, and points that are spent."""

    def test_ends_as_if_nothing_had_happened(self, record_property, world: World, mode: Mode):
        world.restore(world.snapshot())
        world.drop(content=EARLY)
        world.drop("people", ROSTER)
        world.settle()
        wrong = next(file for file in world.files() if file.layout_name == "hours")
        with world.database.write() as db:
            of = members.by_employee(db, wrong.partner_id, ["E9"])["E9"]
            [program] = programs.of_partner(db, wrong.partner_id).values()
            caller = Caller("usr_00000000000000000000000001", "rollback")
            redemptions.redeem(db, program, of.id, [Line("1", 700)], reference="till", caller=caller, now=world.clock())
            rollbacks.request(db, wrong.id, reason="the wrong month", caller=caller, now=world.clock())

        def prepare() -> None:
            with world.database.read() as db:
                run = rollbacks.of_file(db, wrong.id)
            assert run is not None
            queues.send(settings().queue("files"), {"rollback": public_id("rbk", run.id)})

        survives_every_crash(record_property, world, prepare, lambda _: world.work(), mode, "rollback")
        [file] = [file for file in world.files() if file.layout_name == "hours"]
        assert file.state == "rolled_back"
        with world.database.read() as db:
            assert checks.check(db) == []
            run = rollbacks.of_file(db, wrong.id)
            assert run is not None
            assert (run.undone, run.left_over) == (2, 1)


@pytest.mark.parametrize("mode", ["crash", "dead"])
class TestThePump:
    def test_ends_as_if_nothing_had_happened(self, record_property, world: World, mode: Mode):
        world.restore(world.snapshot())
        world.intake(world.drop())

        survives_every_crash(record_property, world, lambda: None, lambda _: world.pump(), mode, "pump")


@pytest.mark.parametrize("mode", ["crash", "dead"])
class TestTheAccrualEndpoint:
    @pytest.fixture
    def post(self, world: World, monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
        monkeypatch.setattr(engine, "database", lambda: world.database)
        authentication.forget()
        with world.database.write() as db:
            partner = directory.by_code(db, "acme")
            assert partner is not None
            _, key = make_partner_key(db, partner.id)
        api = Api(importlib.import_module("app").app)

        def send(headers: Mapping[str, str]) -> None:
            answer = api.post("/v1/accruals", key=key, body=ACCRUAL, headers=headers)
            if answer.status >= 500:
                raise ConnectionError(answer.text)
            assert answer.status in {200, 201}, answer.text

        return send

    @pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "ten-hours"}], ids=["event id", "idempotency key"])
    def test_asked_again_ends_as_if_asked_once(
        self, record_property, world: World, post, mode: Mode, headers: Mapping[str, str]
    ):
        def and_once_more(_: Any) -> None:
            post(headers)

        world.asked_again = lambda: post(headers)
        survives_every_crash(
            record_property, world, lambda: None, and_once_more, mode, f"accrual endpoint {sorted(headers)}"
        )
