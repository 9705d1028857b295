"""Saving and activating: immutable versions, one decision from a date."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime

import pytest
from sqlalchemy import func, select

from chalicelib.access.models import audit_event
from chalicelib.errors import Conflict, InvalidInput, NotFound, UnknownReference
from chalicelib.language import RuleRefused, parse_json
from chalicelib.rules import canonical, rulesets
from chalicelib.rules.models import ruleset, ruleset_activation, ruleset_version
from tests.factories.rules import AUTHOR, accrual_document, code_table, table_document

ACME = b"acme" * 4
OTHER = b"othr" * 4
JANUARY = date(2026, 1, 1)
JULY = date(2026, 7, 1)
EARLIER = datetime(2026, 11, 20, 11, 0, tzinfo=UTC)
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
LATER = datetime(2026, 11, 20, 13, 0, tzinfo=UTC)


def save(db, document, *, partner_id=ACME) -> rulesets.SavedVersion:
    return rulesets.save(db, document, partner_id=partner_id, caller=AUTHOR, now=NOW)


def activate(db, version_id: bytes, day: date, *, now: datetime = NOW) -> bool:
    return rulesets.activate(db, "acme.accrual", version_id, effective_from=day, caller=AUTHOR, now=now)


def count(db, table) -> int:
    return db.execute(select(func.count()).select_from(table)).scalar_one()


class TestSave:
    def test_numbers_the_versions_of_each_ruleset(self, database):
        with database.write() as db:
            numbers = [save(db, accrual_document(rate=rate)).number for rate in ("1.0", "2.0")]
            other = save(db, accrual_document("acme.bonus")).number

        assert numbers == [1, 2]
        assert other == 1

    def test_the_same_content_again_is_the_same_version(self, database):
        with database.write() as db:
            first = save(db, accrual_document())
            reordered = parse_json(canonical.text(accrual_document()))
            again = save(db, dict(reversed(reordered.items())))

            assert (again.version_id, again.created, first.created) == (first.version_id, False, True)
            assert count(db, ruleset_version) == 1
            assert count(db, audit_event) == 1

    def test_an_older_content_is_the_older_version(self, database):
        with database.write() as db:
            first = save(db, accrual_document(rate="1.0"))
            save(db, accrual_document(rate="2.0"))

            assert save(db, accrual_document(rate="1.0")) == rulesets.SavedVersion(
                first.version_id, 1, first.content_hash, created=False
            )

    def test_stores_the_text_that_the_hash_was_taken_of(self, database):
        with database.write() as db:
            made = save(db, accrual_document())
            stored = db.execute(select(ruleset_version)).one()

        assert canonical.digest(stored.content) == stored.content_hash == made.content_hash
        assert stored.created_by == AUTHOR.actor

    def test_stores_nothing_of_a_refused_document(self, database):
        wrong = accrual_document(when={"==": [{"var": "statsu"}, "active"]})
        with database.write() as db:
            with pytest.raises(RuleRefused):
                save(db, wrong)

            assert count(db, ruleset) == count(db, ruleset_version) == count(db, audit_event) == 0

    def test_stores_a_draft_whose_cases_are_red_or_missing(self, database):
        red = accrual_document()
        red["cases"][0]["expect"] = {"points": "1.00"}
        with database.write() as db:
            assert save(db, red).created
            assert save(db, accrual_document(cases=[])).created

    def test_a_ruleset_belongs_to_one_partner(self, database):
        with database.write() as db:
            save(db, accrual_document())

            with pytest.raises(Conflict) as refused:
                save(db, accrual_document(rate="9"), partner_id=OTHER)
            assert refused.value.code == "other_owner"

    def test_a_shared_document_has_no_partner_and_a_partners_has(self, database):
        with database.write() as db:
            with pytest.raises(InvalidInput):
                save(db, accrual_document(), partner_id=None)
            with pytest.raises(InvalidInput):
                save(db, accrual_document("shared_rule", partner=None), partner_id=ACME)
            assert save(db, accrual_document("shared_rule", partner=None), partner_id=None).created

    def test_a_ruleset_keeps_its_kind(self, database):
        members = accrual_document(
            kind="validation",
            inputs={"status": {"type": "string"}},
            when=True,
            outputs={
                "violations": {
                    "type": "list",
                    "items": {"type": "enum", "values": ["not_active"]},
                    "expr": {"if": [{"==": [{"var": "status"}, "active"]}, [], ["not_active"]]},
                }
            },
            cases=[
                {"name": "active", "as_of": "2026-01-01", "given": {"status": "active"}, "expect": {"violations": []}}
            ],
        )
        with database.write() as db:
            save(db, accrual_document())

            with pytest.raises(Conflict) as refused:
                save(db, members)
            assert refused.value.code == "other_kind"

    def test_two_who_save_the_same_at_once_store_it_once(self, database):
        def work(_):
            return database.run(lambda db: save(db, accrual_document()))

        with ThreadPoolExecutor(4) as pool:
            made = list(pool.map(work, range(8)))

        assert len({each.version_id for each in made}) == 1
        assert [each.created for each in made].count(True) == 1
        with database.read() as db:
            assert count(db, ruleset) == count(db, ruleset_version) == 1

    def test_those_who_save_different_contents_at_once_get_numbers_without_gaps(self, database):
        def work(rate):
            return database.run(lambda db: save(db, accrual_document(rate=str(rate))))

        with ThreadPoolExecutor(4) as pool:
            made = list(pool.map(work, range(1, 9)))

        assert sorted(each.number for each in made) == list(range(1, 9))


class TestCodeTablesOfARule:
    def looking_up(self, table: str):
        grade = {"lookup": [table, {"coalesce": [{"var": "grade"}, "G1"]}]}
        return accrual_document(
            inputs={"grade": {"type": "string", "nullable": True}},
            when=True,
            outputs={
                "points": {"type": "decimal", "scale": 2, "rounding": "half_up", "expr": {"parse_decimal": [grade]}}
            },
            cases=[
                {
                    "name": "by grade",
                    "as_of": "2026-10-01",
                    "given": {"grade": "G2"},
                    "code_tables": {table: {"G2": "20"}},
                    "expect": {"points": "20.00"},
                }
            ],
        )

    def test_must_exist(self, database):
        with database.write() as db:
            with pytest.raises(UnknownReference, match=r"acme\.grade"):
                save(db, self.looking_up("acme.grade"))
            code_table(db, ACME, table_document("acme.grade"))
            assert save(db, self.looking_up("acme.grade")).created

    def test_may_be_shared_but_not_another_partners(self, database):
        with database.write() as db:
            code_table(db, None, table_document("grades", partner=None))
            code_table(db, OTHER, table_document("other.grade"))

            assert save(db, self.looking_up("grades")).created
            with pytest.raises(UnknownReference, match=r"other\.grade"):
                save(db, self.looking_up("other.grade"))


class TestActivate:
    def test_applying_twice_changes_nothing(self, database):
        with database.write() as db:
            made = save(db, accrual_document())

            assert activate(db, made.version_id, JANUARY) is True
            assert activate(db, made.version_id, JANUARY, now=LATER) is False
            assert count(db, ruleset_activation) == 1

    def test_a_later_day_is_no_change_while_the_version_decides_from_before(self, database):
        with database.write() as db:
            made = save(db, accrual_document())
            activate(db, made.version_id, JANUARY)

            assert activate(db, made.version_id, JULY, now=LATER) is False
            assert activate(db, made.version_id, date(2025, 12, 1), now=LATER) is True

    def test_an_older_version_can_be_brought_back(self, database):
        with database.write() as db:
            first = save(db, accrual_document(rate="1.0"))
            second = save(db, accrual_document(rate="2.0"))
            activate(db, first.version_id, JANUARY, now=EARLIER)
            activate(db, second.version_id, JULY)

            assert activate(db, first.version_id, JULY, now=LATER) is True
            assert rulesets.timeline(db, "acme.accrual", known_at=LATER).on(JULY).number == 1
            assert rulesets.timeline(db, "acme.accrual", known_at=NOW).on(JULY).number == 2

    def test_a_version_that_another_interrupts_later_does_not_decide_from_then_on(self, database):
        with database.write() as db:
            first = save(db, accrual_document(rate="1.0"))
            second = save(db, accrual_document(rate="2.0"))
            activate(db, first.version_id, JANUARY)
            activate(db, second.version_id, JULY)

            assert activate(db, first.version_id, JANUARY, now=LATER) is True
            assert rulesets.timeline(db, "acme.accrual", known_at=LATER).on(JULY).number == 1

    def test_two_at_the_same_moment_are_still_one_after_the_other(self, database):
        with database.write() as db:
            for rate in ("1.0", "2.0", "3.0"):
                activate(db, save(db, accrual_document(rate=rate)).version_id, JANUARY)

            assert rulesets.timeline(db, "acme.accrual", known_at=LATER).on(JANUARY).number == 3

    def test_refuses_a_version_of_another_ruleset(self, database):
        with database.write() as db:
            save(db, accrual_document())
            foreign = save(db, accrual_document("acme.bonus"))

            with pytest.raises(NotFound):
                activate(db, foreign.version_id, JANUARY)

    def test_of_an_unknown_ruleset_is_not_found(self, database):
        with database.write() as db, pytest.raises(NotFound):
            activate(db, b"x" * 16, JANUARY)

    def test_writes_who_did_it_into_the_audit_trail(self, database):
        with database.write() as db:
            activate(db, save(db, accrual_document()).version_id, JANUARY)
            trail = db.execute(select(audit_event).order_by(audit_event.c.seq)).all()

        assert [(each.action, each.subject, each.actor) for each in trail] == [
            ("ruleset.saved", "acme.accrual", AUTHOR.actor),
            ("ruleset.activated", "acme.accrual", AUTHOR.actor),
        ]
        assert {each.partner_id for each in trail} == {ACME}
