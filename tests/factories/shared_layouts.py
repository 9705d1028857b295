"""Files of the hub's own layouts for tests: whoever may send them, and their rows by column."""

import csv
import io
import json
from collections.abc import Mapping
from decimal import Decimal

from sqlalchemy import update
from sqlalchemy.engine import Connection

from chalicelib.partners.models.partners import partner
from tests.factories.rules import document, live_ruleset


def agree(db: Connection, partner_id: bytes, *names: str, house: bool = False) -> None:
    """The hub has these layouts, and the partner's manifest lists them; ``house``: it is the retailer itself."""
    for name in names:
        live_ruleset(db, None, document(f"layouts/{name}"))
    manifest = json.dumps({"layouts": list(names), "programs": [], "house": house})
    db.execute(update(partner).where(partner.c.id == partner_id).values(manifest=manifest))


def content(name: str, *rows: Mapping[str, str], trailer: str | None = None) -> str:
    """A file of these rows with every column of the layout; what a row leaves out is empty.

    Ends with the trailer that is true of them, or with the given one.
    """
    layout = document(f"layouts/{name}")
    headers = [column.get("header", short) for short, column in layout["columns"].items()]
    out = io.StringIO()
    written = csv.DictWriter(out, headers, restval="", lineterminator="\n")
    written.writeheader()
    written.writerows(rows)
    control = layout["control"].get("column")
    total = sum((Decimal(row.get(control) or 0) for row in rows), Decimal(0)) if control else ""
    return out.getvalue() + (trailer or f"#TRAILER,{len(rows)},{total}") + "\n"
