"""What is kept for a while only, and is then forgotten by a schedule each night, in short transactions."""

from datetime import datetime, timedelta
from functools import partial
from typing import Final

from chalicelib.access import idempotency
from chalicelib.storage.engine import Database

#: A caller who repeats a request after this long is not answered by the first one any more.
ANSWERS_KEPT: Final = timedelta(days=7)
#: Answers forgotten in one transaction, and transactions of one night; the next night goes on.
_ROWS_MAX: Final = 1000
_TRANSACTIONS_MAX: Final = 1000


def forget(database: Database, *, now: datetime) -> int:
    """Forget the kept answers that are too old; how many. Dying half-way is harmless."""
    purge = partial(idempotency.purge, before=now - ANSWERS_KEPT, rows_max=_ROWS_MAX)
    forgotten = 0
    for _ in range(_TRANSACTIONS_MAX):
        purged = database.run(purge)
        forgotten += purged
        if purged < _ROWS_MAX:
            break
    return forgotten
