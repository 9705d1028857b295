"""The metadata that all tables share, and the column types that MySQL and SQLite both keep exactly."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, Column, Date, DateTime, Integer, LargeBinary, MetaData, String, Table, Text
from sqlalchemy.dialects import mysql
from sqlalchemy.engine import Dialect
from sqlalchemy.schema import SchemaItem
from sqlalchemy.types import TypeDecorator

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_MYSQL: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}


def table(name: str, *parts: SchemaItem, tenant: bool = True) -> Table:
    """A table of the hub. ``tenant`` tables carry a NOT NULL ``partner_id``; the others say so with ``tenant=False``.

    Keys compare case-sensitively on both engines (``utf8mb4_bin``).
    """
    return Table(name, metadata, *parts, info={"tenant": tenant}, sqlite_autoincrement=True, **_MYSQL)


class Microseconds(TypeDecorator[datetime]):
    """An aware UTC datetime with microseconds; stored as DATETIME(6) or as sortable text. Refuses naive values."""

    impl = DateTime()
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:  # noqa: ANN401 - SQLAlchemy's own signature
        """DATETIME(6) on MySQL; sortable ISO text on SQLite, which has no time type."""
        return dialect.type_descriptor(mysql.DATETIME(fsp=6) if dialect.name == "mysql" else DateTime())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Aware UTC in, naive UTC to the driver."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("A datetime without a time zone was about to be stored.")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Naive UTC from the driver, aware UTC out."""
        return None if value is None else value.replace(tzinfo=UTC)


class _Bytes(LargeBinary):
    """Bytes as they are: both drivers take and give ``bytes``, so nothing is wrapped on the way.

    SQLAlchemy's own type makes a memoryview of each value for SQLite, which a file's slice has thousands of.
    """

    def bind_processor(self, dialect: Dialect) -> None:
        """No conversion."""

    def result_processor(self, dialect: Dialect, coltype: object) -> None:
        """No conversion."""


#: A 16-byte identifier.
Id = _Bytes(16).with_variant(mysql.BINARY(16), "mysql", "mariadb")
#: A SHA-256.
Digest = _Bytes(32).with_variant(mysql.BINARY(32), "mysql", "mariadb")
#: Encrypted bytes or raw rows, up to 64 KB.
Blob = _Bytes().with_variant(mysql.MEDIUMBLOB(), "mysql", "mariadb")
#: An auto-increment sequence number or an amount in minor units.
Big = BigInteger().with_variant(Integer(), "sqlite")
#: A JSON document kept as the exact text that was hashed; up to 16 MB.
JsonText = Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")
Day = Date()


def code(length: int = 64) -> String:
    """A short text key; compared case-sensitively."""
    return String(length)


def id_column(name: str = "id", **options: Any) -> Column[bytes]:  # noqa: ANN401 - what Column takes
    """The primary key of a table that needs no order."""
    return Column(name, Id, primary_key=True, **options)


def seq_column() -> Column[int]:
    """The primary key of an ordered, high-volume table. Its order is not the order of commits."""
    return Column("seq", Big, primary_key=True, autoincrement=True)
