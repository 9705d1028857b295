"""Files of code table entries for tests."""

import json
from typing import Any

from sqlalchemy import update
from sqlalchemy.engine import Connection

from chalicelib.partners.models.partners import partner
from tests.factories.rules import document, live_ruleset

HEADER = "table,code,value,description,active,effective_from,effective_to"


def entries_layout() -> dict[str, Any]:
    """The hub's own layout of such files."""
    return document("layouts/code_tables")


def agree(db: Connection, partner_id: bytes) -> None:
    """The hub has the layout, and the partner's manifest lists it."""
    live_ruleset(db, None, entries_layout())
    manifest = json.dumps({"layouts": ["code_tables"], "programs": []})
    db.execute(update(partner).where(partner.c.id == partner_id).values(manifest=manifest))


def entries(*rows: str, trailer: str | None = None) -> str:
    """A file of these rows."""
    return "\n".join([HEADER, *rows, *([trailer] if trailer else [])]) + "\n"
