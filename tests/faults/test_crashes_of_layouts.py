"""Files of the hub's own layouts, with a crash at every seam that an hours file does not cross: on SQLite, once."""

from typing import Any

import pytest

from chalicelib.access.caller import Caller
from chalicelib.files.register import rollbacks
from chalicelib.partners import directory
from chalicelib.settings import settings
from chalicelib.storage import queues
from chalicelib.storage.ids import public_id
from tests.factories.shared_layouts import agree, content
from tests.faults.test_crashes import crossed_by, survives_every_crash
from tests.faults.tripwire import Edge
from tests.faults.world import World

pytestmark = [
    pytest.mark.filterwarnings(
        "ignore:.*(SpooledTemporaryFile|socket).*:pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning"
    ),
    pytest.mark.parametrize("database", ["sqlite"], indirect=True),
]

BALANCE = {"partner_code": "acme", "program_code": "uniform", "as_of": "2026-10-31"}
BALANCES = content(
    "opening_balances",
    BALANCE | {"employee_id": "E1", "balance_points": "118.50", "legacy_ref": "L1"},
    BALANCE | {"employee_id": "E1", "balance_points": "20", "legacy_ref": "L2", "lot_expiry": "2027-06-30"},
    BALANCE | {"employee_id": "E99", "balance_points": "5", "legacy_ref": "L3"},
    BALANCE | {"employee_id": "E1", "balance_points": "118.50", "legacy_ref": "L1"},
    BALANCE | {"employee_id": "E2", "balance_points": "7", "legacy_ref": "L4"},
)
CORRECTION = {"partner_code": "acme", "program_code": "uniform", "effective_date": "2026-11-10"}
CORRECTION |= {"reason_code": "correction", "requested_by": "fin-42", "approved_by": "fin-7"}
CORRECTIONS = content(
    "adjustments",
    CORRECTION | {"adjustment_id": "A1", "employee_id": "E1", "points": "40"},
    CORRECTION | {"adjustment_id": "A2", "employee_id": "E1", "points": "-500"},
    CORRECTION | {"adjustment_id": "A1", "employee_id": "E1", "points": "40"},
    CORRECTION | {"adjustment_id": "A3", "employee_id": "E2", "points": "12.5"},
)
PERSON = {"source": "sfcc", "email": "ada@example.com", "last_name": "Byron", "partner_code": "acme"}
PEOPLE = content(
    "customers",
    PERSON | {"customer_no": "1", "employee_id": "E1", "last_modified": "2026-11-19T14:05:00Z"},
    PERSON | {"customer_no": "2", "employee_id": "E2", "last_modified": "2026-11-19T14:05:00Z"},
    PERSON | {"customer_no": "1", "employee_id": "E1", "last_modified": "2026-11-18T14:05:00Z"},
    PERSON | {"customer_no": "1", "salesforce_id": "003A", "last_modified": "2026-11-20T14:05:00Z"},
)

ORDER = {"channel": "web", "revision": "1", "order_ts": "2026-11-20T09:15:00Z", "currency": "EUR", "sku": "SHIRT"}
ORDER |= {"unit_price": "19.90", "qty": "1", "ship_to_postal": "D02 X285", "status": "new"}
ORDERS = content(
    "orders",
    ORDER | {"order_no": "W-1", "line_no": "2"},
    ORDER | {"order_no": "W-2", "line_no": "1"},
    ORDER | {"order_no": "W-1", "line_no": "1"},
    ORDER | {"order_no": "W-1", "line_no": "1"},
    ORDER | {"order_no": "W-2", "line_no": "2", "currency": "USD"},
)


@pytest.fixture
def known(world: World) -> list[Edge]:
    """The edges on the way of one hours file, of a hub that has agreed to the layouts."""
    with world.database.write() as db:
        partner = directory.by_code(db, "acme")
        assert partner is not None
        agree(db, partner.id, "opening_balances", "adjustments", "customers", "orders", house=True)
    start = world.snapshot()
    # Twice, because what is asked for once a process is asked for in the first run.
    for _warming_up in (True, False):
        edges = crossed_by(world, start, world.drop, world.intake)
    world.restore(start)
    return edges


@pytest.mark.parametrize(
    ("layout", "rows", "figures"),
    [
        ("opening_balances", BALANCES, (3, 1, 1, 0)),
        ("adjustments", CORRECTIONS, (3, 0, 1, 0)),
        ("customers", PEOPLE, (3, 0, 0, 1)),
        ("orders", ORDERS, (3, 1, 1, 0)),
    ],
    ids=["opening balances", "adjustments", "customers", "orders"],
)
def test_a_file_of_the_layout_ends_as_if_nothing_had_happened(
    record_property: Any,
    world: World,
    known: list[Edge],
    layout: str,
    rows: str,
    figures: tuple[int, int, int, int],
):
    def prepare() -> Any:
        return world.drop(layout, rows)

    survives_every_crash(record_property, world, prepare, world.intake, "crash", layout, known=known)

    [file] = [file for file in world.files() if file.layout_name == layout]
    assert (file.state, file.rows_accepted, file.rows_rejected, file.rows_duplicate, file.rows_ignored) == (
        "processed",
        *figures,
    )


CHANGED = {"status": "paid", "revision": "2"}


@pytest.mark.parametrize(
    ("layout", "before", "rows", "figures"),
    [
        (
            "customers",
            content("customers", PERSON | {"customer_no": "2", "last_modified": "2026-11-18T14:05:00Z"}),
            PEOPLE,
            (3, 0),
        ),
        (
            "orders",
            content(
                "orders",
                ORDER | {"order_no": "W-2", "line_no": "2"},
                ORDER | {"order_no": "W-3", "line_no": "1", "qty": "0"},
            ),
            content(
                "orders",
                ORDER | {"order_no": "W-1", "line_no": "2"},
                ORDER | {"order_no": "W-3", "line_no": "1"},
                ORDER | {"order_no": "W-4", "line_no": "1", "qty": "0"},
                ORDER | CHANGED | {"order_no": "W-2", "line_no": "1"},
            ),
            (3, 0),
        ),
    ],
    ids=["customers", "orders"],
)  # fmt: skip
def test_the_rollback_of_a_file_of_the_layout_ends_as_if_nothing_had_happened(
    record_property: Any,
    world: World,
    known: list[Edge],
    layout: str,
    before: str,
    rows: str,
    figures: tuple[int, int],
):
    del known  # what agrees to the layouts
    world.intake(world.drop(layout, before))
    world.settle()
    world.intake(world.drop(layout, rows))
    world.settle()
    wrong = max((file for file in world.files() if file.layout_name == layout), key=lambda file: file.id)
    with world.database.write() as db:
        caller = Caller("usr_00000000000000000000000001", "rollback")
        run, _ = rollbacks.request(db, wrong.id, reason="the wrong month", caller=caller, now=world.clock())

    def prepare() -> None:
        queues.send(settings().queue("files"), {"rollback": public_id("rbk", run.id)})

    survives_every_crash(record_property, world, prepare, lambda _: world.work(), "crash", f"rollback of {layout}")

    with world.database.read() as db:
        done = rollbacks.of_file(db, wrong.id)
    assert done is not None
    assert (done.stage, done.undone, done.left_over) == ("done", *figures)
