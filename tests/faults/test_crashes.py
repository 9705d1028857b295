"""A handler that dies at any statement, commit or call, and is run again, leaves what an undisturbed run leaves."""

import importlib
import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from chalicelib.partners import directory
from chalicelib.storage import engine
from chalicelib.web import authentication
from tests.factories.access import make_partner_key
from tests.factories.gateway import Api
from tests.faults.dump import text
from tests.faults.tripwire import Mode, Tripwire, armed
from tests.faults.world import World, dying

#: What two honest runs may differ in: times and identifiers inside receipts.
_VOLATILE_TEXT = re.compile(
    r"\b[a-z]{3}_[0-9a-hjkmnp-tv-z]{26}\b|\d{4}-\d\d-\d\dT[\d:.]+(?:Z|\+00:00)|\"last_modified\": \"[^\"]*\""
)
_SEAMS_MAX = 2000
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
) -> None:
    """Crash ``handler`` at each of its seams in turn, let the hub come to rest, and compare."""
    start = world.snapshot()
    for _warming_up in (True, False):
        world.restore(start)
        given = prepare()
        handler(given)
        world.settle()
        expected = comparable(world)
    for number in range(1, _SEAMS_MAX):
        world.restore(start)
        given = prepare()
        wire = Tripwire(number, mode)
        with dying() as died, armed(wire, world.database):
            handler(given)
        if not wire.tripped:
            break
        world.database.engine.dispose()
        where = f"{mode} at seam {number}, {wire.crossed[number - 1]}: {died}"
        try:
            world.settle()
        except Exception as error:
            raise AssertionError(f"The hub does not recover from a {where}.") from error
        assert comparable(world) == expected, where
    # Printed at the end of the test session (tests/conftest.py), also when workers run the tests.
    record("figure", f"{name}, {mode}, {world.database.engine.dialect.name}: {number - 1} crash points survived")
    assert number > 1


#: moto keeps objects in temporary files, and a handler that died leaves sockets, to the garbage collector.
pytestmark = pytest.mark.filterwarnings(
    "ignore:.*(SpooledTemporaryFile|socket).*:pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning"
)


@pytest.mark.parametrize("mode", ["crash", "dead"])
class TestTheFileHandler:
    def test_ends_as_if_nothing_had_happened(self, record_property, world: World, mode: Mode):
        survives_every_crash(record_property, world, world.drop, world.intake, mode, "file handler")


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
