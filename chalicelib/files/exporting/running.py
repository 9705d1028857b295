"""The way of an export through the workers, from the message that names it to one whole object.

::

    queued -> writing -> written | empty | failed

A handler may die anywhere and be run again, in parallel, any number of times: the object appears whole or not at all,
is never replaced, and one that is found is taken for what it says. So a number stands on one file.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import chain, islice
from typing import Any, Final

from chalicelib.errors import Conflict, InterlineError, NotFound, Unavailable
from chalicelib.files.exporting import jobs, registry, writing
from chalicelib.files.exporting.jobs import LeaseLost, Taken
from chalicelib.files.exporting.registry import Export
from chalicelib.files.exporting.writing import Written
from chalicelib.files.models.files import export_mark
from chalicelib.settings import settings
from chalicelib.storage import bulk, objects, queues
from chalicelib.storage.engine import Database
from chalicelib.storage.ids import public_id, raw_id

log = logging.getLogger(__name__)
QUEUE: Final = "exports"
#: A message that is younger than this is most likely still on its way.
_GRACE_S: Final = 30
#: The most messages of one sweep; the next one goes on.
_MESSAGES_MAX: Final = 100
#: Which export an object is of, in the object's own metadata.
_OWNER: Final = "export-id"
#: Marks of one transaction.
_MARKS: Final = 5_000


def bucket() -> str:
    """The bucket that receivers read from."""
    return settings().bucket("hub-out")


def announce(export_id: bytes) -> None:
    """Have a worker write an export at once; call it after the commit.

    A queue that does not answer is no error: the sweeper finds what nobody works on.
    """
    try:
        queues.send(settings().queue(QUEUE), {"export": public_id("exp", export_id)})
    except InterlineError as error:
        log.warning("The workers could not be told of an export: the sweeper will.", extra={"code": error.code})


def handle(database: Database, message: Mapping[str, Any], *, clock: Callable[[], datetime]) -> None:
    """Write the export that a message names, unless it is written, or its receiver gets another file just now.

    Stale, doubled and foreign messages are acknowledged by returning. Raises Unavailable when the database or S3 does
    not answer: the message comes again.
    """
    try:
        export_id = raw_id("exp", str(message.get("export")))
        with database.read() as db:
            file = jobs.load(db, export_id)
        export = registry.export_named(file.export)
    except NotFound:
        log.warning("A message names no export.", extra={"export_id": str(message.get("export"))})
        return
    taken = database.run(lambda db: jobs.take(db, export, export_id, now=clock()))
    if taken is not None:
        _work(database, export, taken, clock=clock)
    with database.read() as db:
        following = jobs.next_of(db, file) if taken is not None else None
    if following is not None:
        announce(following)


def sweep(database: Database, *, clock: Callable[[], datetime], grace_s: int = _GRACE_S) -> int:
    """Send a message for each export that nobody works on, as if one had been lost; how many there were."""
    now = clock()
    with database.read() as db:
        stuck = jobs.waiting(db, unchanged_since=now - timedelta(seconds=grace_s), now=now, limit=_MESSAGES_MAX)
    for export_id in stuck:
        announce(export_id)
    return len(stuck)


def _work(database: Database, export: Export, taken: Taken, *, clock: Callable[[], datetime]) -> None:
    try:
        written = _written_before(database, export, taken)
        if written is None and taken.exhausted:
            reason = f"The hub tried {jobs.ATTEMPTS_MAX} times and could not finish: an engineer has to look at it."
            database.run(lambda db: jobs.fail(db, taken, code="gave_up", reason=reason, now=clock()))
            return
        if written is None:
            written = _write(database, export, taken)
        database.run(lambda db: jobs.finish(db, taken, written, now=clock()))
    except LeaseLost:
        log.info("An export is in other hands.", extra={"export_id": taken.file.public_id})
        with database.read() as db:
            ended = jobs.load(db, taken.file.id).state
        if ended == "failed":
            # Given up while it was being written: its number is another file's.
            _withdraw(taken)
    except Unavailable:
        database.run(lambda db: jobs.release(db, taken, blameless=True, now=clock()))
        raise
    except InterlineError as error:
        # What the rows are made of is not what it has to be: trying again changes nothing.
        if isinstance(error, NotFound):
            # What was asked for names nothing: the matter of whoever asked.
            log.info("An export names nothing.", extra={"export_id": taken.file.public_id, "code": error.code})
        else:
            log.exception("An export cannot be written.", extra={"export_id": taken.file.public_id})
        code, reason = error.code, error.message
        _withdraw(taken)
        database.run(lambda db: jobs.fail(db, taken, code=code, reason=reason, now=clock()))
    except Exception:
        database.run(lambda db: jobs.release(db, taken, blameless=False, now=clock()))
        raise


def _written_before(database: Database, export: Export, taken: Taken) -> Written | None:
    """What an earlier try has put there and nobody has noted; None: nothing. Uploads it broke off are given up."""
    if taken.file.attempts == 1:
        return None
    objects.drop_unfinished(bucket(), taken.object_key)
    return _found(database, export, taken)


def _found(database: Database, export: Export, taken: Taken) -> Written | None:
    """What stands under the key, read from its first to its last row; None: nothing of this export.

    What a delta shows is noted from its rows, as whoever wrote them would have.
    """
    there = objects.head(bucket(), taken.object_key)
    if there is None:
        return None
    if there.metadata.get(_OWNER) != taken.file.public_id:
        # Numbers are given again after a failure: this came too late, of an export that had been given up.
        objects.delete(bucket(), taken.object_key, etag=there.etag)
        return None
    asked = taken.asked
    asked.marks.clear()
    found = Written(asked.file_seq, asked.as_of)
    with objects.open_range(bucket(), taken.object_key, etag=there.etag) as source:
        rows = writing.read(export.layout, source, found)
        while some := list(islice(rows, _MARKS)):
            if asked.mode == "delta" and export.marks_of is not None:
                with database.read() as db:
                    for key, version in export.marks_of(db, asked, some):
                        asked.marks.note(key, version)
    _note_marks(database, taken)
    return found


def _withdraw(taken: Taken) -> None:
    """Take back what this export has put there, if it has."""
    there = objects.head(bucket(), taken.object_key)
    if there is not None and there.metadata.get(_OWNER) == taken.file.public_id:
        objects.delete(bucket(), taken.object_key, etag=there.etag)


def _write(database: Database, export: Export, taken: Taken) -> Written | None:
    """Write the object and note what it shows; None: there are no rows, and none are sent.

    Raises Unavailable when something else stood under its key: it is gone then, and the next try writes.
    """
    asked = taken.asked
    written = Written(asked.file_seq, asked.as_of)
    with database.snapshot() as db:
        rows = _begun(export.rows(db, asked))
        if rows is None and (export.skip_empty or asked.mode == "delta"):
            return None
        created = _created(taken, writing.chunks(export.layout, rows or (), written))
    if created:
        _note_marks(database, taken)
        return written
    # A faster handler of this very export, or this one's own call that was answered too late: it stays.
    found = _found(database, export, taken)
    if found is None:
        raise Unavailable(f"{taken.object_key} was another export's.")
    return found


def _created(taken: Taken, chunks: Iterable[bytes]) -> bool:
    """Put the object there; False: there is one of that name."""
    described = {_OWNER: taken.file.public_id, "file-seq": str(taken.asked.file_seq)}
    try:
        objects.create(bucket(), taken.object_key, chunks, content_type="text/csv", metadata=described)
    except Conflict:
        return False
    return True


def _begun(rows: Iterable[registry.Row]) -> Iterator[registry.Row] | None:
    """The same rows; None when there are none."""
    every = iter(rows)
    first = list(islice(every, 1))
    return chain(first, every) if first else None


def _note_marks(database: Database, taken: Taken) -> None:
    """Remember up to which versions the receiver knows what it was sent.

    After the object is there, and before it counts as written: whoever dies between has a later delta say it again.
    """
    file = taken.file
    marks = iter(taken.asked.marks)
    common = {"export": file.export, "receiver": file.receiver, "partner_id": file.partner_id}
    while some := list(islice(marks, _MARKS)):
        rows = [{**common, "key": key, "version": version} for key, version in dict(sorted(some)).items()]
        database.run(
            lambda db, rows=rows: bulk.upsert(  # type: ignore[misc]
                db, export_mark, rows, key=["export", "receiver", "key"], update=["version"]
            )
        )
