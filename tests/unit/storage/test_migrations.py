"""The chain of migrations makes the tables that the code declares, and takes them away again."""

from sqlalchemy import inspect

from chalicelib.storage.tables import metadata
from migrations import chain


class TestChain:
    def test_code_and_database_agree(self, database):
        assert chain.differences(database.engine) == []

    def test_up_down_up_ends_where_it_began(self, database):
        chain.downgrade(database.engine, "base")
        assert set(inspect(database.engine).get_table_names()) == {"alembic_version"}
        chain.upgrade(database.engine)
        assert set(metadata.tables) <= set(inspect(database.engine).get_table_names())
        assert chain.differences(database.engine) == []
        current, newest = chain.heads(database.engine)
        assert current == newest is not None


class TestTables:
    def test_every_tenant_table_names_its_partner(self):
        missing = [
            name
            for name, table in metadata.tables.items()
            if table.info.get("tenant") and ("partner_id" not in table.c or table.c.partner_id.nullable)
        ]
        assert missing == []

    def test_every_table_says_whether_it_belongs_to_a_tenant(self):
        assert [name for name, table in metadata.tables.items() if "tenant" not in table.info] == []
