"""The chain of migrations as functions: what `hub migrate`, the local hub and the tests run."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DBAPIError

from chalicelib.errors import DatabaseUnavailable

_FOLDER = Path(__file__).parent


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    return config


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Bring the database to ``revision``; nothing happens when it is there already."""
    with engine.connect() as connection:
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def downgrade(engine: Engine, revision: str) -> None:
    """Take the database back to ``revision``; ``base`` removes every table."""
    with engine.connect() as connection:
        config = _config()
        config.attributes["connection"] = connection
        command.downgrade(config, revision)


def differences(engine: Engine) -> list[str]:
    """What the tables in the code and in the database do not share; empty when they agree."""
    from alembic.autogenerate import compare_metadata

    from chalicelib.storage.tables import metadata

    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return [str(difference) for difference in compare_metadata(context, metadata)]


def heads(engine: Engine) -> tuple[str | None, str | None]:
    """The revision the database is at, and the newest there is. Raises DatabaseUnavailable."""
    try:
        with engine.connect() as connection:
            current = MigrationContext.configure(connection).get_current_revision()
    except DBAPIError as error:
        place = engine.url.render_as_string(hide_password=True)
        raise DatabaseUnavailable(f"The database {place} does not answer: {error.orig}.") from error
    return current, ScriptDirectory.from_config(_config()).get_current_head()
