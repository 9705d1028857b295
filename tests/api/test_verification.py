"""`POST /v1/ledger/verify` over the whole app."""

import importlib
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from chalicelib.points.models.ledger import account, transfer
from chalicelib.points.proof import checkpoints
from chalicelib.storage import engine
from chalicelib.storage.ids import public_id
from chalicelib.web import authentication
from tests.factories.access import make_user_key
from tests.factories.gateway import Api
from tests.factories.points import earn, make_earning


@pytest.fixture
def world(sqlite_database, aws, monkeypatch):
    monkeypatch.setattr(engine, "database", lambda: sqlite_database)
    authentication.forget()
    with sqlite_database.write() as db:
        earning = make_earning(db)
        earn(db, earning)
        _, key = make_user_key(db)
        _, bound = make_user_key(db, partner_id=earning.partner.id)
    checkpoints.run(sqlite_database, now=datetime.now(UTC) + timedelta(hours=1))
    yield sqlite_database, earning, key, bound
    authentication.forget()


@pytest.fixture
def api():
    return Api(importlib.import_module("app").app)


def verify(api, key, **body):
    return api.post("/v1/ledger/verify", body, key=key)


class TestVerify:
    def test_finds_a_sound_ledger_sound(self, world, api):
        _, _, key, _ = world

        found = [verify(api, key, part=part).json for part in ("chain", "sums")]

        assert [(each["verified"], each["complete"]) for each in found] == [(True, True)] * 2
        assert found[0]["rows"] > 0
        assert found[1]["accounts"] > 0

    def test_names_the_first_altered_row_by_its_id_and_column(self, world, api):
        database, _, key, _ = world
        with database.write() as db:
            db.execute(update(transfer).values(amount_minor=99))
            entry = db.execute(transfer.select()).one()

        [fault] = verify(api, key, part="chain").json["faults"]

        assert (fault["kind"], fault["table"], fault["columns"]) == ("altered", "transfer", ["amount_minor"])
        assert fault["row"] == {"id": public_id("trf", entry.id)}

    def test_names_a_counter_that_is_not_what_the_rows_say(self, world, api):
        database, earning, key, _ = world
        with database.write() as db:
            db.execute(update(account).where(account.c.id == earning.account_id).values(credits_posted=1))

        breaks = verify(api, key, part="sums").json["breaks"]

        assert ("credits_differ_from_transfers", earning.account_id.hex()) in {
            (each["code"], each["subject"]) for each in breaks
        }

    def test_gives_a_partners_administrator_the_sums_of_its_own_programs_only(self, world, api):
        _, earning, _, bound = world
        program_id = public_id("prg", earning.program.id)

        assert verify(api, bound, part="sums", program_id=program_id).json["verified"] is True
        for body in ({"part": "chain"}, {"part": "sums"}):
            answer = verify(api, bound, **body)
            assert (answer.status, answer.code) == (403, "only_own_program")

    def test_refuses_what_belongs_to_the_other_part(self, world, api):
        _, earning, key, _ = world
        program_id = public_id("prg", earning.program.id)

        for body in ({"part": "chain", "program_id": program_id}, {"part": "sums", "from_block": 2}):
            answer = verify(api, key, **body)
            assert (answer.status, answer.code) == (422, "wrong_part")
