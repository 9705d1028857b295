"""How Alembic finds the tables and the database of the hub."""

import importlib
import pkgutil

from alembic import context
from sqlalchemy.engine import Connection

import chalicelib
from chalicelib.settings import settings
from chalicelib.storage import tables
from chalicelib.storage.engine import connect_by, is_mysql
from chalicelib.storage.tables import metadata

for room in pkgutil.iter_modules(chalicelib.__path__, "chalicelib."):
    if room.ispkg:
        for module in pkgutil.iter_modules(importlib.import_module(room.name).__path__, f"{room.name}."):
            # A room's tables are in models.py, or in the modules of models/.
            if module.name.endswith("models"):
                found = importlib.import_module(module.name)
                for part in pkgutil.iter_modules(found.__path__, f"{module.name}.") if module.ispkg else ():
                    importlib.import_module(part.name)


_NAMED = {id(getattr(tables, name)): f"tables.{name}" for name in ("Id", "Digest", "Blob", "Big", "JsonText", "Day")}


def by_name(kind: str, item: object, _context: object) -> str | bool:
    """Write the hub's own column types by their names, so that a revision reads like the models."""
    return kind == "type" and _NAMED.get(id(item), False)


def migrate(connection: Connection) -> None:
    """Run the chosen revisions on a connection, each in its own transaction."""
    context.configure(
        connection=connection,
        target_metadata=metadata,
        render_as_batch=not is_mysql(connection),
        transaction_per_migration=True,
        compare_type=True,
        user_module_prefix="tables.",
        render_item=by_name,
    )
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    migrate(given)
else:
    with connect_by(settings()).engine.connect() as opened:
        migrate(opened)
