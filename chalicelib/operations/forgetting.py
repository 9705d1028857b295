"""What letting go of each class of data means: rows are masked or deleted in short transactions, objects one by one.

Every function takes the moment before which things are too old. Dying half-way is harmless: the next night goes on.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from typing import Any, Final

from sqlalchemy import ColumnElement, Table, delete, func, or_, select, update
from sqlalchemy.engine import Connection

from chalicelib.access import idempotency
from chalicelib.access.caller import Caller
from chalicelib.access.models import idempotency_record
from chalicelib.access.rounds import Round
from chalicelib.deliveries.models import delivery_attempt
from chalicelib.documents import erasing as of_documents
from chalicelib.files.erasure import erasing
from chalicelib.files.formats import archive, redacting
from chalicelib.files.models.files import file_row, inbound_file
from chalicelib.files.register import register
from chalicelib.operations import erasure
from chalicelib.partners import directory
from chalicelib.partners.models.erasures import member_erasure
from chalicelib.partners.models.partners import member
from chalicelib.settings import settings
from chalicelib.storage import objects
from chalicelib.storage.engine import Database
from chalicelib.storage.ids import public_id
from chalicelib.storage.objects import ObjectInfo
from chalicelib.workbench.models import backtest, backtest_member, backtest_record, backtest_row

#: Rows of one transaction, and transactions, files or objects of one class and night; the next night goes on.
_ROWS_MAX: Final = 1_000
_TURNS_MAX: Final = 1_000
_FILES_MAX: Final = 10_000
_DOCUMENT_ROWS_MAX: Final = 500
_ATTEMPT: Final = delivery_attempt.c
_FILE: Final = inbound_file.c
_ROW: Final = file_row.c


def answers(database: Database, before: datetime, _now: datetime) -> int:
    """Delete answers kept under an Idempotency-Key."""
    return _turns(database, partial(idempotency.purge, before=before, rows_max=_ROWS_MAX))


def count_answers(db: Connection, before: datetime) -> int:
    """How many there are."""
    return _count(db, idempotency_record, idempotency_record.c.created_at < before)


def _kept_attempts(before: datetime) -> ColumnElement[bool]:
    kept = or_(_ATTEMPT.request.is_not(None), _ATTEMPT.response.is_not(None))
    return (_ATTEMPT.started_at < before) & kept


def attempts(database: Database, before: datetime, _now: datetime) -> int:
    """Empty requests and answers of deliveries; attempts themselves stay, since lineage leads to them."""

    def some(db: Connection) -> int:
        found = db.execute(
            select(_ATTEMPT.seq).where(_kept_attempts(before)).order_by(_ATTEMPT.seq).limit(_ROWS_MAX)
        ).scalars()
        numbers = list(found)
        db.execute(update(delivery_attempt).where(_ATTEMPT.seq.in_(numbers)).values(request=None, response=None))
        return len(numbers)

    return _turns(database, some)


def count_attempts(db: Connection, before: datetime) -> int:
    """How many there are."""
    return _count(db, delivery_attempt, _kept_attempts(before))


def _kept_rows(before: datetime) -> ColumnElement[bool]:
    return (_ROW.recorded_at < before) & erasing.SAYS_SOMETHING & (_FILE.finished_at < before)


def rejected_rows(database: Database, before: datetime, _now: datetime) -> int:
    """Fill what refused rows said and empty their corrections, and answer the files again."""
    done = 0
    with Round("retention") as each:
        for file_id in _files_with_rows(database, before):
            with each.turn(public_id("fil", file_id)):
                with database.read() as db:
                    file = register.load(db, file_id)
                    partner = directory.by_id(db, file.partner_id)
                if partner is not None:
                    done += erasing.mask(database, file, partner, before=before)
    return done


def _files_with_rows(database: Database, before: datetime) -> list[bytes]:
    query = (
        select(_ROW.file_id)
        .join_from(file_row, inbound_file, _FILE.id == _ROW.file_id)
        .where(_kept_rows(before))
        .group_by(_ROW.file_id)
        .order_by(_ROW.file_id)
        .limit(_FILES_MAX)
    )
    with database.read() as db:
        return list(db.execute(query).scalars())


def count_rejected_rows(db: Connection, before: datetime) -> int:
    """How many there are."""
    query = (
        select(func.count())
        .select_from(file_row.join(inbound_file, _FILE.id == _ROW.file_id))
        .where(_kept_rows(before))
    )
    return db.execute(query).scalar_one()


def documents(database: Database, before: datetime, _now: datetime) -> int:
    """Let go of what is personal in orders, quotes and leads; they and their numbers stay."""
    some = partial(of_documents.let_go, before=before, rows_max=_DOCUMENT_ROWS_MAX)
    return _turns(database, some, _DOCUMENT_ROWS_MAX)


def count_documents(db: Connection, before: datetime) -> int:
    """In how many revisions there is any."""
    return of_documents.count_old(db, before)


def _old_objects(bucket: str, before: datetime) -> Iterator[ObjectInfo]:
    return (found for found in objects.list_under(settings().bucket(bucket)) if found.last_modified < before)


def _delete(bucket: str, before: datetime) -> int:
    done = 0
    for found in _old_objects(bucket, before):
        objects.delete(settings().bucket(bucket), found.key)
        done += 1
        if done == _FILES_MAX:
            break
    return done


def refused(_database: Database, before: datetime, _now: datetime) -> int:
    """Delete files that were refused as a whole."""
    return _delete("hub-reject", before)


def count_refused(_db: Connection, before: datetime) -> int:
    """How many there are."""
    return sum(1 for _ in _old_objects("hub-reject", before))


def sent(_database: Database, before: datetime, _now: datetime) -> int:
    """Delete what was written for partners and outside systems."""
    return _delete("hub-out", before)


def count_sent(_db: Connection, before: datetime) -> int:
    """How many there are."""
    return sum(1 for _ in _old_objects("hub-out", before))


def archives(database: Database, before: datetime, _now: datetime) -> int:
    """Delete archived files whose every arrival is too old; a signed record of each stays, and says that it went."""
    done = 0
    with database.read() as db:
        wanted = db.execute(_old_files(before).limit(_FILES_MAX)).all()
        places = {partner_id: directory.by_id(db, partner_id) for partner_id, _ in wanted}
    with Round("retention") as each:
        for partner_id, sha256 in wanted:
            partner = places[partner_id]
            if partner is not None:
                with each.turn(partner.code):
                    done += _let_archive_go(partner.code, sha256)
    return done


def _let_archive_go(partner_code: str, sha256: bytes) -> bool:
    """Delete one archived file; False when it is gone already."""
    key = archive.key_of(partner_code, sha256)
    if objects.head(archive.bucket(), key) is None:
        return False
    redacting.write_record(partner_code, sha256, (), original_removed=True)
    objects.delete(archive.bucket(), archive.original_of(key))
    objects.delete(archive.bucket(), key)
    return True


def count_archives(db: Connection, before: datetime) -> int:
    """How many files there are whose content may be in the archive."""
    return db.execute(select(func.count()).select_from(_old_files(before).subquery())).scalar_one()


def _old_files(before: datetime) -> Any:  # noqa: ANN401 - a select of partner and hash
    return (
        select(_FILE.partner_id, _FILE.sha256)
        .where(_FILE.sha256.is_not(None), _FILE.finished_at.is_not(None))
        .group_by(_FILE.partner_id, _FILE.sha256)
        .having(func.max(_FILE.finished_at) < before)
        .order_by(func.max(_FILE.finished_at))
    )


def backtests(database: Database, before: datetime, _now: datetime) -> int:
    """Delete members, records and rows of back-tests; what was approved by them names their hashes, which stay."""

    def some(db: Connection) -> int:
        old = list(db.execute(_old_backtests(before).limit(_ROWS_MAX)).scalars())
        done = 0
        for of in (backtest_member, backtest_record, backtest_row):
            done += db.execute(delete(of).where(of.c.backtest_id.in_(old))).rowcount if old else 0
        return done

    return database.run(some)


def count_backtests(db: Connection, before: datetime) -> int:
    """How many back-tests there are with details."""
    return db.execute(select(func.count()).select_from(_old_backtests(before).subquery())).scalar_one()


def _old_backtests(before: datetime) -> Any:  # noqa: ANN401 - a select of ids
    has = [select(of.c.backtest_id).where(of.c.backtest_id == backtest.c.id).exists() for of in _DETAILS]
    return select(backtest.c.id).where(backtest.c.finished_at < before, or_(*has)).order_by(backtest.c.id)


_DETAILS: Final = (backtest_member, backtest_record, backtest_row)


def former_members(database: Database, before: datetime, now: datetime) -> int:
    """Have those erased who left so long ago."""
    caller = Caller("system:retention", f"retention-{now:%Y-%m-%d}")
    with database.read() as db:
        gone = list(db.execute(_former(before).limit(_ROWS_MAX)).scalars())
    done = 0
    with Round("retention") as each:
        for member_id in gone:
            with each.turn(public_id("mbr", member_id)):
                database.run(
                    partial(
                        erasure.request,
                        member_id=member_id,
                        reason="kept for as long as the retention policy says",
                        caller=caller,
                        now=now,
                    )
                )
                done += 1
    return done


def count_former_members(db: Connection, before: datetime) -> int:
    """How many there are."""
    return db.execute(select(func.count()).select_from(_former(before).subquery())).scalar_one()


def _former(before: datetime) -> Any:  # noqa: ANN401 - a select of ids
    erased = select(member_erasure.c.id).where(member_erasure.c.member_id == member.c.id).exists()
    return (
        select(member.c.id)
        .where(member.c.status == "terminated", member.c.term_date < before.date(), ~erased)
        .order_by(member.c.id)
    )


def _turns(database: Database, some: Callable[[Connection], int], rows_max: int = _ROWS_MAX) -> int:
    done = 0
    for _ in range(_TURNS_MAX):
        turn = database.run(some)
        done += turn
        if turn < rows_max:
            break
    return done


def _count(db: Connection, of: Table, condition: ColumnElement[bool]) -> int:
    return db.execute(select(func.count()).select_from(of).where(condition)).scalar_one()
