"""Documents that are saved whole."""

from dataclasses import dataclass

import pytest

from chalicelib.documents import known, saving
from chalicelib.documents.kinds import KINDS
from chalicelib.documents.saving import NewDocument
from chalicelib.storage.engine import Database
from tests.factories.partners import CALLER, NOW, make_partner


@dataclass
class Acme:
    """A partner that sends documents."""

    database: Database
    partner_id: bytes


@pytest.fixture
def acme(database: Database, aws: None) -> Acme:
    with database.write() as db:
        return Acme(database, make_partner(db, "acme").id)


class TestSaving:
    def make(self, revision: int | None = 1, sku: str = "A") -> NewDocument:
        return NewDocument("order", ("web", "W-9"), revision, {}, {}, [{"line_no": 1, "sku": sku}])

    def save(self, acme: Acme, new: NewDocument) -> tuple[str, int, bool]:
        with acme.database.write() as db:
            saved = saving.save(db, acme.partner_id, new, caller=CALLER, now=NOW)
        return saved.outcome, saved.revision, saved.is_newest

    def test_is_done_once_and_refuses_other_content(self, acme: Acme):
        assert self.save(acme, self.make(2)) == ("saved", 2, True)
        assert self.save(acme, self.make(2)) == ("duplicate", 2, True)
        assert self.save(acme, self.make(2, "B")) == ("other_content", 2, True)
        assert self.save(acme, self.make(1)) == ("saved", 1, False)
        with acme.database.read() as db:
            found = known.newest(db, acme.partner_id, KINDS["order"], ("web", "W-9"))
        assert found is not None
        assert (found.revision, found.lines) == (2, [{"line_no": 1, "sku": "A"}])

    def test_counts_revisions_where_the_sender_does_not(self, acme: Acme):
        assert self.save(acme, self.make(None)) == ("saved", 1, True)
        assert self.save(acme, self.make(None)) == ("duplicate", 1, True)
        assert self.save(acme, self.make(None, "B")) == ("saved", 2, True)
