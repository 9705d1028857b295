"""No personal value and no key is in the database's plain columns or in a log, whichever way it came."""

import io
import logging
from collections.abc import Iterator

import pytest
from sqlalchemy import event, select

from chalicelib.access.scopes import Role
from chalicelib.storage.engine import Database
from chalicelib.storage.ids import public_id
from chalicelib.storage.tables import metadata
from chalicelib.web import logs
from tests.factories.access import make_user_key
from tests.factories.files import make_hub, people, people_layout

PERSONAL = {
    "first_name": "Zebulonia",
    "last_name": "Quagmireson",
    "email": "zeb.quag@wonderland.example",
    "phone": "+1-555-0199-777",
    "ship_to_line1": "17 Nightingale Gardens",
    "ship_to_city": "Ravensborough",
    "ship_to_region": "Ruritania",
    "ship_to_postal": "R9Z-8Q7",
}
MEMBER = {
    **PERSONAL,
    "partner_code": "acme",
    "employee_id": "E77",
    "action": "A",
    "hire_date": "2026-01-01",
    "job_code": "CREW",
    "country": "US",
    "effective_date": "2026-01-01",
}


@pytest.fixture
def database(sqlite_database: Database) -> Database:
    """One engine is enough: both are given the same values."""
    return sqlite_database


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Everything that is logged, at the lowest level, as it would be written."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(logs.JsonLines())
    root = logging.getLogger()
    level, ours = root.level, logging.getLogger("chalicelib")
    before = ours.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    ours.setLevel(logging.DEBUG)
    yield written
    root.removeHandler(handler)
    root.setLevel(level)
    ours.setLevel(before)


def plain_values(database: Database) -> str:
    """Every value of every table; bytes as they would read."""
    with database.read() as db:
        rows = [row for table in metadata.sorted_tables for row in db.execute(select(table))]
    return " ".join(
        value.decode("latin-1") if isinstance(value, bytes) else str(value) for row in rows for value in row
    )


def found_in(text: str, values: list[str]) -> list[str]:
    return [value for value in values if value.casefold() in text.casefold()]


@pytest.fixture
def admin(database: Database) -> str:
    with database.write() as db:
        return make_user_key(db, Role.ADMIN)[1]


def test_of_what_came_by_request_nothing_is_readable(api, database: Database, admin: str, log: io.StringIO):
    make_hub(database)
    made = api.post("/v1/members", MEMBER, key=admin, headers={"Idempotency-Key": "k-1"})
    assert made.status == 201, made.text
    assert PERSONAL["last_name"] in made.text, "the administrator sees it, so it went all the way"
    path = f"/v1/members/{made.json['id']}"
    assert api.get(path, key=admin).status == 200
    for name in ("last_name", "email"):
        assert len(api.get("/v1/members", key=admin, params={name: PERSONAL[name]}).json["items"]) == 1
    # Refusals are where values slip into messages.
    for wrong in ({"country": PERSONAL["last_name"]}, {"hire_date": PERSONAL["email"]}, {"x": PERSONAL["phone"]}):
        assert api.post("/v1/members", {**MEMBER, **wrong}, key=admin).status == 422
    assert api.post("/v1/members", raw=f'{{"last_name": "{PERSONAL["last_name"]}"', key=admin).status == 400
    assert api.get("/v1/members", key=admin, params={PERSONAL["first_name"]: "x"}).status == 400
    values = list(PERSONAL.values())
    assert found_in(plain_values(database), values) == []
    assert found_in(log.getvalue(), values) == []
    assert "Request answered." in log.getvalue()


def test_of_what_came_by_file_nothing_is_readable(api, aws, database: Database, log: io.StringIO):
    hub = make_hub(database, people_layout())
    first, last = PERSONAL["first_name"], PERSONAL["last_name"]
    rows = people(
        f"E77,A,{first},{last},2024-10-01,CREW,US,2026-11-01",
        f"E78,A,{first},{last},yesterday,CREW,US,2026-11-01",
    )
    file = hub.process("people", rows)
    assert (file.rows_accepted, file.rows_rejected) == (1, 1)
    assert found_in(plain_values(database), [first, last]) == []
    assert found_in(log.getvalue(), [first, last]) == []


def test_no_key_is_readable(api, database: Database, admin: str, log: io.StringIO):
    hub = make_hub(database)
    body = {"name": "payroll", "scopes": ["accruals:write"], "partner_id": public_id("par", hub.partner.id)}
    made = api.post("/v1/api-keys", body, key=admin, headers={"Idempotency-Key": "k-1"}).json
    rotate = f"/v1/api-keys/{made['id']}/rotate"
    rotated = api.post(rotate, {}, key=admin, headers={"Idempotency-Key": "k-2"}).json
    for key in (made["key"], rotated["key"], made["key"] + "x"):
        api.get("/v1/me", key=key)
    api.get(f"/v1/accruals/{made['key']}", key=admin)
    secrets = [key.rpartition("_")[2] for key in (admin, made["key"], rotated["key"])]
    assert found_in(plain_values(database), secrets) == []
    assert found_in(log.getvalue(), secrets) == []


def test_what_nobody_foresaw_is_logged_without_its_words(api, database: Database, admin: str, log: io.StringIO):
    def fail(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        if "INTO member_history" in statement:
            raise RuntimeError(f"cannot cope with {PERSONAL['last_name']}")

    make_hub(database)
    event.listen(database.engine, "before_cursor_execute", fail)
    answer = api.post("/v1/members", MEMBER, key=admin)
    event.remove(database.engine, "before_cursor_execute", fail)
    assert (answer.status, answer.code) == (500, "internal_error")
    assert found_in(answer.text + log.getvalue(), list(PERSONAL.values())) == []
    assert "RuntimeError" in log.getvalue()
