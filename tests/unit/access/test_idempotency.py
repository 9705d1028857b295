"""Idempotency: one effect and one answer for a key, whatever happens around it."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import func, insert, select

from chalicelib.access import idempotency
from chalicelib.access.idempotency import Answered
from chalicelib.access.models import heartbeat, idempotency_record
from chalicelib.errors import Broken, InterlineError, Unprocessable

ME, OTHER = b"k" * 16, b"l" * 16
HASH = b"h" * 32

pytestmark = pytest.mark.usefixtures("data_key")


def claim(db, now, *, principal_id=ME, key="one", route="POST /v1/x", request_hash=HASH):
    return idempotency.claim(db, principal_id=principal_id, key=key, route=route, request_hash=request_hash, now=now)


def keep(db, *, key="one", body="{}"):
    idempotency.keep(db, principal_id=ME, key=key, status=201, body=body)


def refuse():
    raise InterlineError("refused")


class TestClaiming:
    def test_the_first_works_and_the_second_is_given_its_answer(self, database, now):
        with database.write() as db:
            assert claim(db, now) is None
            keep(db, body='{"name":"José"}')
        with database.write() as db:
            assert claim(db, now) == Answered(201, '{"name":"José"}')

    def test_a_refused_request_leaves_no_claim(self, database, now):
        with pytest.raises(InterlineError):
            database.run(lambda db: claim(db, now) or refuse())
        with database.write() as db:
            assert claim(db, now) is None

    @pytest.mark.parametrize("other", [{"request_hash": b"i" * 32}, {"route": "POST /v1/y"}])
    def test_another_request_under_the_same_key_is_refused(self, database, now, other):
        with database.write() as db:
            claim(db, now)
            keep(db)
        with database.write() as db, pytest.raises(Unprocessable) as refused:
            claim(db, now, **other)
        assert refused.value.code == "other_content"

    def test_keys_of_other_principals_and_other_cases_are_other_keys(self, database, now):
        with database.write() as db:
            claim(db, now)
            keep(db)
            assert claim(db, now, principal_id=OTHER) is None
            assert claim(db, now, key="ONE") is None

    def test_a_claim_committed_without_its_answer_is_a_broken_promise(self, database, now):
        with database.write() as db:
            claim(db, now)
        with database.write() as db, pytest.raises(Broken):
            claim(db, now)

    def test_the_answer_is_not_readable_in_the_database(self, database, now):
        with database.write() as db:
            claim(db, now)
            keep(db, body='{"key":"shown once"}')
            stored = db.execute(select(idempotency_record.c.body)).scalar_one()
        assert b"shown once" not in stored

    def test_ten_at_once_have_one_effect_and_one_answer(self, database, now):
        together = threading.Barrier(10, timeout=30)

        def work(number):
            def once(db):
                answered = claim(db, now)
                if answered is not None:
                    return answered.body
                db.execute(insert(heartbeat), {"name": f"effect {number}", "at": now, "ok": True})
                keep(db, body=f"by {number}")
                return f"by {number}"

            together.wait()
            return database.run(once)

        with ThreadPoolExecutor(10) as pool:
            answers = set(pool.map(work, range(10)))
        with database.read() as db:
            effects = db.execute(select(func.count()).select_from(heartbeat)).scalar_one()
        assert (len(answers), effects) == (1, 1)

    def test_one_that_waited_for_a_refused_first_does_the_work_itself(self, database, now):
        claimed, waiting = threading.Event(), threading.Event()

        def refused():
            def work(db):
                claim(db, now)
                claimed.set()
                waiting.wait(10)
                refuse()

            with pytest.raises(InterlineError):
                database.run(work)

        def second():
            claimed.wait(10)
            waiting.set()
            return database.run(lambda db: claim(db, now))

        with ThreadPoolExecutor(2) as pool:
            first, later = pool.submit(refused), pool.submit(second)
            first.result(30)
            assert later.result(30) is None


class TestPurging:
    def test_forgets_the_old_ones_only_and_not_more_than_asked(self, database, now):
        with database.write() as db:
            for age in range(4):
                claim(db, now - timedelta(days=age), key=f"k{age}")
            assert idempotency.purge(db, before=now - timedelta(hours=36), rows_max=1) == 1
            assert idempotency.purge(db, before=now - timedelta(hours=36)) == 1
            left = db.execute(select(idempotency_record.c.idempotency_key).order_by("idempotency_key")).scalars()
            assert list(left) == ["k0", "k1"]
