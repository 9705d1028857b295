"""Who sends a request: the bearer key in its Authorization header, and a short memory of the keys seen."""

from datetime import datetime, timedelta
from typing import Final

from chalicelib.access import keys
from chalicelib.access.principal import Principal
from chalicelib.errors import NotAuthenticated
from chalicelib.storage.engine import Database

#: A principal is believed this long without asking the database: it saves a query in most requests of a busy caller.
#: So a revoked key, a lost role or a suspended partner may still be served for two seconds, in every process.
BELIEVED: Final = timedelta(seconds=2)
#: Bounds the memory; a process that sees more keys within two seconds starts over.
_KNOWN_MAX: Final = 4096

_known: dict[bytes, tuple[datetime, Principal]] = {}
_noted: dict[bytes, datetime] = {}


def principal_of(header: str | None, *, database: Database, now: datetime) -> Principal:
    """Who the ``Authorization`` header stands for. Raises NotAuthenticated and DatabaseUnavailable."""
    if not header:
        raise NotAuthenticated("This needs a key: send `Authorization: Bearer ilk_…`.", code="key_missing")
    kind, _, text = header.partition(" ")
    if kind.lower() != "bearer":
        raise NotAuthenticated("Send the key as `Authorization: Bearer ilk_…`.", code="key_missing")
    text = text.strip()
    fingerprint = keys.digest(text)
    kept = _known.get(fingerprint)
    if kept is not None and kept[0] <= now < kept[0] + BELIEVED:
        return kept[1]
    with database.read() as db:
        principal = keys.authenticate(db, text, now=now)
    if len(_known) >= _KNOWN_MAX:
        _known.clear()
    _known[fingerprint] = (now, principal)
    _note_use(principal.key_id, database, now)
    return principal


def forget() -> None:
    """Ask the database at the next request of every key."""
    _known.clear()
    _noted.clear()


def _note_use(key_id: bytes, database: Database, now: datetime) -> None:
    noted = _noted.get(key_id)
    if noted is not None and noted <= now < noted + keys.USE_NOTED_EVERY:
        return
    # Set first, so that of many threads (nearly always) one writes.
    if len(_noted) >= _KNOWN_MAX:
        _noted.clear()
    _noted[key_id] = now
    database.run(lambda db: keys.note_use(db, key_id, now=now))
