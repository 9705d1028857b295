"""A version that is needed to compute an old decision again is never lost: not by code, not in the database."""

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError

from chalicelib.points.earning import lineage
from chalicelib.points.ledger import history
from chalicelib.points.models.ledger import accrual_event
from chalicelib.rules import activation, rulesets, versions
from chalicelib.rules.models import ruleset, ruleset_activation, ruleset_version
from tests.factories.points import CALLER, earn, event, make_earning, record
from tests.factories.rules import accrual_document

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
PROMOTIONS = 30

pytestmark = pytest.mark.usefixtures("data_key")


@pytest.fixture
def _in_a_new_process(monkeypatch):
    """A process that has met no version yet and remembers few."""
    monkeypatch.setattr(versions, "_cache", type(versions._cache)())
    monkeypatch.setattr(versions, "CACHED_VERSIONS_MAX", 4)


def promote(db, earning, rate: int, now: datetime) -> bytes:
    """A new version with this rate that decides from January on."""
    code = earning.version.ruleset_code
    document = accrual_document(code, rate=str(rate))
    saved = rulesets.save(db, document, partner_id=earning.partner.id, caller=CALLER, now=now)
    rulesets.activate(db, code, saved.version_id, effective_from=date(2026, 1, 1), caller=CALLER, now=now)
    return saved.version_id


class TestAnOldDecision:
    @pytest.mark.usefixtures("_in_a_new_process")
    def test_is_computed_again_to_the_same_points_after_many_promotions_and_rollbacks(self, database):
        expected = {}
        with database.write() as db:
            earning = make_earning(db)
            for rate in range(2, PROMOTIONS + 2):
                now = NOW + timedelta(minutes=rate)
                version_id = promote(db, earning, rate, now)
                told = record(db, earning.partner, [event()], now=now)[0]
                expected[told.id] = (rate * 1000, version_id)
            for back in range(3):
                activation.roll_back(
                    db,
                    earning.version.ruleset_code,
                    effective_from=date(2026, 1, 1),
                    reason="a test",
                    caller=CALLER,
                    now=NOW + timedelta(days=1 + back),
                )

        versions._cache.clear()
        with database.read() as db:
            for accrual_id, (points_minor, version_id) in expected.items():
                decided = lineage.decided_by(db, history.event(db, accrual_id), recompute=True)
                assert (decided.recomputed_minor, decided.agrees) == (points_minor, True)
                assert (decided.version.version_id, decided.version.content_hash) == (
                    version_id,
                    db.execute(
                        select(ruleset_version.c.content_hash).where(ruleset_version.c.id == version_id)
                    ).scalar_one(),
                )
                assert len(versions._cache) <= versions.CACHED_VERSIONS_MAX

    def test_names_the_version_and_its_hash(self, database):
        with database.write() as db:
            earning = make_earning(db)
            told = earn(db, earning)
            promote(db, earning, 3, NOW)
        with database.read() as db:
            decided = lineage.decided_by(db, history.event(db, told.id), recompute=True)

        assert decided.version.content_hash == earning.version.content_hash
        assert decided.version.number == 1


class TestTheDatabase:
    @pytest.fixture
    def decided(self, database):
        """A version that decided an event and was replaced since."""
        with database.write() as db:
            earning = make_earning(db)
            earn(db, earning)
            promote(db, earning, 3, NOW)
        return earning.version

    def test_refuses_to_delete_a_version_that_ever_decided(self, database, decided):
        with database.write() as db, pytest.raises(IntegrityError):
            db.execute(delete(ruleset_version).where(ruleset_version.c.id == decided.version_id))
        with database.read() as db:
            assert rulesets.version(db, decided.version_id).content_hash == decided.content_hash

    def test_refuses_to_delete_its_ruleset(self, database, decided):
        with database.write() as db, pytest.raises(IntegrityError):
            db.execute(delete(ruleset).where(ruleset.c.code == decided.ruleset_code))

    def test_has_an_activation_of_every_version_that_an_event_names(self, database, decided):
        """Which is what keeps the version: an activation points to it, and nothing deletes one."""
        with database.read() as db:
            named = select(accrual_event.c.ruleset_version_id).distinct().subquery()
            kept = db.execute(
                select(func.count())
                .select_from(named)
                .join(ruleset_activation, ruleset_activation.c.version_id == named.c.ruleset_version_id)
            ).scalar_one()
        assert (kept, decided.number) == (1, 1)
