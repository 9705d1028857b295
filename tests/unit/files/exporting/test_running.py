"""From a request to one whole object with the next number of its receiver."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import select

from chalicelib.access.models import audit_event
from chalicelib.errors import Broken, Unavailable
from chalicelib.files.exporting import jobs, registry, running
from chalicelib.files.models.files import export_file
from chalicelib.storage import objects, queues
from chalicelib.storage.engine import Database
from tests.factories import exports, points
from tests.factories.exports import NOW
from tests.factories.points import Earning

NAME = "balances_sfcc"


@pytest.fixture
def earning(database: Database, aws: None) -> Earning:
    """A partner with one balance."""
    with database.write() as db:
        made = points.make_earning(db)
        points.earn(db, made)
    return made


def keys() -> list[str]:
    return [found.key for found in objects.list_under(running.bucket())]


def told(database: Database, file: jobs.ExportFile) -> jobs.ExportFile:
    with database.read() as db:
        return jobs.load(db, file.id)


def failing(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def rows(_db, _asked):
        raise error
        yield

    broken = registry.Export(NAME, rows, scopes=frozenset(), system="commerce-cloud")
    monkeypatch.setattr(registry, "export_named", lambda _name: broken)


class TestAsking:
    @pytest.mark.usefixtures("earning")
    def test_twice_under_one_key_is_asking_once(self, database: Database):
        first = exports.ask(database, NAME, request_key="2026-11-20T12")
        again = exports.ask(database, NAME, request_key="2026-11-20T12", mode="delta")

        assert again == first

    def test_another_receiver_has_a_key_of_its_own(self, database: Database, earning: Earning):
        first = exports.ask(database, NAME, request_key="2026-11-20T12")
        other = exports.ask(database, NAME, earning.partner, request_key="2026-11-20T12")

        assert other.id != first.id

    def test_is_audited_with_the_partner_it_is_of(self, database: Database, earning: Earning):
        sent = exports.write(database, NAME, earning.partner)

        with database.read() as db:
            found = db.execute(select(audit_event).where(audit_event.c.subject == sent.file.public_id)).all()
        assert [(row.action, row.partner_id, row.actor) for row in found] == [
            ("export.requested", earning.partner.id, exports.CALLER.actor),
            ("export.written", earning.partner.id, "system:exports"),
        ]


class TestNumbers:
    def test_follow_one_another_by_receiver(self, database: Database, earning: Earning):
        hub = [exports.write(database, NAME).file.file_seq for _ in range(3)]
        own = exports.write(database, NAME, earning.partner).file.file_seq

        assert (hub, own) == ([1, 2, 3], 1)

    @pytest.mark.usefixtures("earning")
    def test_have_no_gap_after_a_failure(self, database: Database, monkeypatch):
        exports.write(database, NAME)
        with monkeypatch.context() as patch:
            failing(patch, Broken("It does not add up.", code="not_adding_up"))
            failed = exports.finish(database, exports.ask(database, NAME)).file
        following = exports.write(database, NAME).file

        assert (failed.state, failed.reason_code, failed.file_seq) == ("failed", "not_adding_up", None)
        assert following.file_seq == 2
        assert len(keys()) == 2

    @pytest.mark.usefixtures("aws")
    def test_of_many_workers_at_once_are_each_given_once(self, mariadb_database: Database):
        with mariadb_database.write() as db:
            points.earn(db, points.make_earning(db))
        files = [exports.ask(mariadb_database, NAME) for _ in range(6)]

        def work(file):
            running.handle(mariadb_database, {"export": file.public_id}, clock=lambda: NOW)

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(work, [file for file in files for _ in range(2)]))
        for _ in files:
            running.sweep(mariadb_database, clock=lambda: NOW + timedelta(hours=1))
            for file in files:
                work(file)

        ended = [told(mariadb_database, file) for file in files]
        assert sorted(file.file_seq or 0 for file in ended) == [1, 2, 3, 4, 5, 6]
        assert len(keys()) == 6

    @pytest.mark.usefixtures("earning")
    def test_one_file_of_a_stream_is_written_at_a_time(self, database: Database):
        first, second = exports.ask(database, NAME), exports.ask(database, NAME)
        export = registry.export_named(NAME)
        taken = database.run(lambda db: jobs.take(db, export, first.id, now=NOW))

        blocked = database.run(lambda db: jobs.take(db, export, second.id, now=NOW))

        assert taken is not None
        assert blocked is None


class TestAWorker:
    @pytest.mark.usefixtures("aws")
    def test_acknowledges_what_names_nothing(self, database: Database):
        running.handle(database, {"export": "exp_01m80ezmgbefm8btvg41ypyz86"}, clock=lambda: NOW)
        running.handle(database, {"other": 1}, clock=lambda: NOW)

        with database.read() as db:
            assert db.execute(select(export_file)).all() == []

    @pytest.mark.usefixtures("earning")
    def test_leaves_a_written_file_alone(self, database: Database):
        sent = exports.write(database, NAME)
        again = exports.finish(database, sent.file, now=NOW + timedelta(days=1))

        assert again.file == sent.file

    @pytest.mark.usefixtures("earning")
    def test_goes_on_when_the_store_is_back(self, database: Database, monkeypatch):
        file = exports.ask(database, NAME)
        with monkeypatch.context() as patch:
            failing(patch, Unavailable("The store is away."))
            with pytest.raises(Unavailable):
                exports.finish(database, file)
        assert (told(database, file).state, keys()) == ("writing", [])

        assert exports.finish(database, file).file.state == "written"

    @pytest.mark.usefixtures("earning")
    def test_gives_up_after_many_deaths_and_frees_the_number(self, database: Database):
        export, file, now = registry.export_named(NAME), exports.ask(database, NAME), NOW
        for _ in range(jobs.ATTEMPTS_MAX):
            assert database.run(lambda db, now=now: jobs.take(db, export, file.id, now=now)) is not None
            now += timedelta(hours=1)

        given_up = exports.finish(database, file, now=now).file

        assert (given_up.state, given_up.reason_code) == ("failed", "gave_up")
        assert exports.write(database, NAME, now=now).file.file_seq == 1

    def test_takes_what_a_dead_one_had_written_for_what_it_says(
        self, database: Database, earning: Earning, monkeypatch
    ):
        file = exports.ask(database, NAME)
        with monkeypatch.context() as patch:
            patch.setattr(jobs, "finish", lambda *_args, **_more: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                running.handle(database, {"export": file.public_id}, clock=lambda: NOW)
        [before] = list(objects.list_under(running.bucket()))
        with database.write() as db:
            points.earn(db, earning)

        sent = exports.finish(database, file, now=NOW + timedelta(hours=1))

        [after] = list(objects.list_under(running.bucket()))
        assert (after.etag, sent.file.as_of, [row["seq"] for row in sent.rows]) == (before.etag, NOW, [1])

    @pytest.mark.usefixtures("earning")
    def test_takes_back_what_it_wrote_after_it_was_given_up(self, database: Database):
        export, file = registry.export_named(NAME), exports.ask(database, NAME)
        late = database.run(lambda db: jobs.take(db, export, file.id, now=NOW))
        assert late is not None
        now = NOW
        for _ in range(jobs.ATTEMPTS_MAX - 1):
            now += timedelta(hours=1)
            database.run(lambda db, now=now: jobs.take(db, export, file.id, now=now))
        exports.finish(database, file, now=now + timedelta(hours=1))

        running._work(database, export, late, clock=lambda: now)

        assert (told(database, file).state, keys()) == ("failed", [])

    @pytest.mark.usefixtures("earning")
    def test_replaces_nothing_of_another_export_that_came_too_late(self, database: Database):
        key = f"_commerce-cloud/{NAME}/{NAME}_2026-11-20_00000001.csv"
        objects.put(running.bucket(), key, b"of a dead one", metadata={"export-id": "exp_other"})
        file = exports.ask(database, NAME)
        with pytest.raises(Unavailable):
            exports.finish(database, file)

        sent = exports.finish(database, file)

        assert (sent.file.state, sent.file.file_seq, len(sent.rows)) == ("written", 1, 1)


class TestTheSweeper:
    @pytest.mark.usefixtures("earning")
    def test_names_what_nobody_works_on(self, database: Database):
        exports.ask(database, NAME)
        queues.reset()

        assert running.sweep(database, clock=lambda: NOW) == 0
        assert running.sweep(database, clock=lambda: NOW + timedelta(minutes=1)) == 1

    @pytest.mark.usefixtures("earning")
    def test_names_nothing_that_has_ended(self, database: Database):
        exports.write(database, NAME)

        assert running.sweep(database, clock=lambda: NOW + timedelta(days=1)) == 0
