"""Golden cases: kept beside the ruleset, asked of every version, changed by name only."""

import pytest
from sqlalchemy import func, select

from chalicelib.access.models import audit_event
from chalicelib.errors import InvalidInput, NotFound, Unprocessable
from chalicelib.rules import gates, golden, rulesets
from tests.factories.rules import AUTHOR, LONG_AGO, accrual_document, golden_case, live_ruleset

ACME = b"acme" * 4
OTHER = b"othr" * 4


def put(db, case_id="four-hours", document=None, **more):
    return golden.put(db, "acme.accrual", case_id, document or golden_case(), caller=AUTHOR, now=LONG_AGO, **more)


def draft(db, **changes):
    saved = rulesets.save(db, accrual_document(**changes), partner_id=ACME, caller=AUTHOR, now=LONG_AGO)
    return rulesets.version(db, saved.version_id)


def results(db, version) -> dict[str, tuple[bool, bool]]:
    """Of each golden case: whether it passed, and whether it was skipped."""
    return {
        run.golden.case_id: (run.result.passed, run.skipped) for run in gates.examine(db, version).cases if run.golden
    }


class TestKeeping:
    def test_the_same_case_again_changes_nothing(self, database):
        with database.write() as db:
            live_ruleset(db, ACME, accrual_document())
            first = put(db)
            audited = db.execute(select(func.count()).select_from(audit_event)).scalar_one()
            again = put(db)

            assert (first.created, first.changed) == (True, True)
            assert (again.created, again.changed) == (False, False)
            assert db.execute(select(func.count()).select_from(audit_event)).scalar_one() == audited

    def test_a_changed_case_takes_the_place_and_the_audit_trail_has_both(self, database):
        with database.write() as db:
            live_ruleset(db, ACME, accrual_document())
            put(db)
            changed = put(db, document=golden_case("2"))
            [kept] = golden.of(db, "acme.accrual")
            trail = db.execute(select(audit_event).where(audit_event.c.action == "ruleset.case_kept")).all()

        assert (changed.created, changed.changed) == (False, True)
        assert kept.document["expect"] == {"points": "8.00"}
        assert "6.00" in trail[-1].before
        assert "8.00" in trail[-1].after

    def test_a_removed_case_is_gone_but_for_the_audit_trail(self, database):
        with database.write() as db:
            live_ruleset(db, ACME, accrual_document())
            put(db)
            golden.remove(db, "acme.accrual", "four-hours", reason="contract changed", caller=AUTHOR, now=LONG_AGO)
            [entry] = db.execute(select(audit_event).where(audit_event.c.action == "ruleset.case_removed")).all()

            assert golden.of(db, "acme.accrual") == []
            assert "6.00" in entry.before
            assert entry.reason == "contract changed"
            with pytest.raises(NotFound):
                golden.remove(db, "acme.accrual", "four-hours", reason="again", caller=AUTHOR, now=LONG_AGO)

    @pytest.mark.parametrize(
        ("document", "pointer"),
        [
            ({**golden_case(), "as_of": "1.10.2026"}, "/as_of"),
            ({key: value for key, value in golden_case().items() if key != "as_of"}, "/as_of"),
            (golden_case(expect={}), "/expect"),
            (golden_case(given=None), "/given"),
            (golden_case(expects={}), "/expects"),
        ],
    )
    def test_what_is_no_case_is_refused_with_its_place(self, database, document, pointer):
        with database.write() as db:
            live_ruleset(db, ACME, accrual_document())
            with pytest.raises(InvalidInput) as refused:
                put(db, document=document)

        assert pointer in [fault.pointer for fault in refused.value.faults]

    @pytest.mark.parametrize("case_id", ["", "Four hours", "../x", "a" * 101])
    def test_an_id_is_plain(self, database, case_id):
        with database.write() as db:
            live_ruleset(db, ACME, accrual_document())
            with pytest.raises(InvalidInput):
                put(db, case_id)

    def test_there_are_not_too_many(self, database, monkeypatch):
        monkeypatch.setattr(golden, "CASES_MAX", 2)
        with database.write() as db:
            live_ruleset(db, ACME, accrual_document())
            put(db, "one")
            put(db, "two")
            with pytest.raises(Unprocessable) as refused:
                put(db, "three")
            assert refused.value.code == "too_many_cases"
            assert put(db, "two", golden_case("2")).changed

    def test_of_an_unknown_ruleset_is_not_found(self, database):
        with database.write() as db, pytest.raises(NotFound):
            put(db)


class TestAsking:
    def test_each_version_is_asked(self, database):
        with database.write() as db:
            live = live_ruleset(db, ACME, accrual_document())
            put(db)

            assert results(db, live) == {"four-hours": (True, False)}
            assert results(db, draft(db, rate="2")) == {"four-hours": (False, False)}

    def test_facts_that_a_version_does_not_read_are_left_out(self, database):
        with database.write() as db:
            live = live_ruleset(db, ACME, accrual_document())
            put(db, document=golden_case(given={**golden_case()["given"], "grade": "G5"}))

            assert results(db, live) == {"four-hours": (True, False)}

    def test_a_fact_that_a_version_needs_and_the_case_lacks_is_a_red_case(self, database):
        with database.write() as db:
            live = live_ruleset(db, ACME, accrual_document())
            put(db, document=golden_case(given={"status": "active"}))
            [run] = [run for run in gates.examine(db, live).cases if run.golden]

        assert not run.result.passed
        assert "quantity" in run.result.message

    def test_an_output_that_a_version_does_not_have_is_a_red_case(self, database):
        with database.write() as db:
            live = live_ruleset(db, ACME, accrual_document())
            put(db, document=golden_case(expect={"bonus": "1.00"}))
            [run] = [run for run in gates.examine(db, live).cases if run.golden]

        assert not run.result.passed
        assert "does not fit" in run.result.message

    def test_a_day_on_which_the_version_is_not_meant_to_decide_is_not_asked(self, database):
        with database.write() as db:
            live_ruleset(db, ACME, accrual_document())
            put(db)

            assert results(db, draft(db, rate="2", effective={"from": "2027-01-01"})) == {"four-hours": (True, True)}
            assert results(db, draft(db, rate="2", effective={"from": "2026-11-02"})) == {"four-hours": (False, False)}
            assert results(db, draft(db, rate="2", effective={"to": "2026-11-01"})) == {"four-hours": (True, True)}
