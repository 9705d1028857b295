"""``python -m local.prepare``: bring database and AWS stand-in to where the hub can start; prints one JSON object.

``admin_key`` is the first administrator's key when it was made just now, else null. Safe to repeat.
"""

import argparse
import contextlib
import json
import sys
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy.exc import OperationalError

from chalicelib.access import keys, users
from chalicelib.errors import InterlineError, NotAuthenticated
from chalicelib.settings import settings
from chalicelib.storage.engine import Database, connect_by
from local import provision
from local.home import Home, write_private
from migrations import chain

_ADMIN = "admin@interline.localhost"


def admin_key(database: Database, home: Home, now: datetime) -> str | None:
    """A new administrator's key, kept in the home's ``admin.key``; None when the one there works with this database."""
    if home.admin_key.exists():
        with database.read() as db, contextlib.suppress(NotAuthenticated):
            keys.authenticate(db, home.admin_key.read_text().strip(), now=now)
            return None
    _, secret = database.run(lambda db: users.first_admin(db, email=_ADMIN, now=now))
    write_private(home.admin_key, secret + "\n")
    return secret


def main(arguments: list[str]) -> None:
    """Migrate, provision, make the first administrator."""
    parser = argparse.ArgumentParser(prog="python -m local.prepare")
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--commerce-cloud-url", required=True)
    chosen = parser.parse_args(arguments)
    configured = settings()
    home = Home.open(chosen.home)
    provision.provision(configured, provision.seed(home, commerce_cloud_url=chosen.commerce_cloud_url))
    database = connect_by(configured)
    chain.heads(database.engine)  # whether it answers is said before anything else is tried
    chain.upgrade(database.engine)
    key = admin_key(database, home, datetime.now(UTC))
    sys.stdout.write(json.dumps({"admin_key": key}) + "\n")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except InterlineError as error:
        sys.exit(error.message)
    except OperationalError as error:
        # No room, no right to write, no answer: nothing that a stack would explain.
        sys.exit(f"The database refuses: {error.orig}. Is there room, and may this user write there?")
