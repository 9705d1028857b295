"""Recording accrual events: what is posted, what is a duplicate, what is refused by which name."""

import json
from datetime import date, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import func, select

from chalicelib.partners.members import enrolments
from chalicelib.partners.provenance import RowSource
from chalicelib.points.models.ledger import accrual_event, lot, transfer
from chalicelib.storage.ids import new_id
from tests.factories import partners, rules
from tests.factories.points import CALLER, NOW, counters, earn, event, make_earning, record

pytestmark = pytest.mark.usefixtures("provable", "data_key")


def _enrol_only_in_october(db, earning):
    enrolments.enrol(
        db,
        earning.program,
        earning.member.id,
        valid_from=date(2026, 10, 1),
        valid_to=date(2026, 10, 31),
        caller=CALLER,
        now=NOW,
    )


def document(*cases, **changes):
    """An accrual rule with these cases: what is given, besides ten hours, and what is expected."""
    written = [
        {"name": f"case {number}", "as_of": "2026-11-02", "given": {"quantity": "10", **given}, "expect": expect}
        for number, (given, expect) in enumerate(cases)
    ]
    return rules.accrual_document(**changes, cases=written)


LEFT = ({"status": "terminated"}, {"applies": False})


def rows_of(db, table):
    return db.execute(select(func.count()).select_from(table)).scalar_one()


class TestRecord:
    def test_posts_what_the_rule_gives_as_a_transfer_and_a_lot(self, database, earning):
        with database.write() as db:
            [recorded] = record(db, earning.partner, [event(quantity=Decimal("10.25"))])

            assert (recorded.outcome, recorded.points_minor, recorded.scale) == ("posted", 1538, 2)
            [moved] = db.execute(select(transfer)).all()
            [kept] = db.execute(select(lot)).all()
            assert (moved.amount_minor, moved.entry_no, moved.kind) == (1538, 1, "accrual")
            assert moved.credit_account_id == earning.account_id
            assert moved.source_id == recorded.id
            assert moved.business_date == date(2026, 11, 20)
            assert (kept.id, kept.remaining_minor, kept.expires_on) == (moved.id, 1538, date(2028, 11, 2))
            assert counters(db, earning.account_id)["credits_posted"] == 1538

    def test_keeps_the_place_in_the_file_and_who_sent_it(self, database, earning):
        source = RowSource(new_id(), 7, 120, 33)
        with database.write() as db:
            record(db, earning.partner, [event()], sources=[source])

            row = db.execute(select(accrual_event)).one()
            assert (row.source_file_id, row.row_no, row.byte_offset, row.byte_length) == tuple(source)
            assert (row.actor, row.correlation_id) == (CALLER.actor, CALLER.correlation_id)

    def test_keeps_the_facts_that_decided_and_what_else_the_event_said(self, database, earning):
        with database.write() as db:
            record(db, earning.partner, [event(quantity=Decimal("8.50"), reference="shift 4")])

            facts = json.loads(db.execute(select(accrual_event.c.facts)).scalar_one())
            assert facts == {
                "inputs": {"status": "active", "quantity": "8.50"},
                "event": {"employee_id": "E1", "unit": "HOUR", "reference": "shift 4"},
            }

    def test_numbers_the_entries_of_an_account_without_gaps_over_batches(self, database, earning):
        with database.write() as db:
            record(db, earning.partner, [event(), event()])
            record(db, earning.partner, [event()])

            numbers = db.execute(select(transfer.c.entry_no).order_by(transfer.c.seq)).scalars().all()
            assert numbers == [1, 2, 3]

    def test_answers_in_the_order_of_the_events(self, database, earning):
        events = [event(event_id=name) for name in ("c", "a", "b")]
        with database.write() as db:
            recorded = record(db, earning.partner, events)

        assert [each.event_id for each in recorded] == ["c", "a", "b"]

    def test_stores_an_event_to_which_the_rule_does_not_apply_without_a_transfer(self, database):
        never = document(
            ({"status": "active"}, {"applies": False}),
            ({"status": "terminated"}, {"points": "15.00"}),
            when={"==": [{"var": "status"}, "terminated"]},
        )
        with database.write() as db:
            earning = make_earning(db, document=never)
            [recorded] = record(db, earning.partner, [event()])

            assert (recorded.outcome, recorded.points_minor) == ("no_points", 0)
            assert rows_of(db, accrual_event) == 1
            assert rows_of(db, transfer) == 0

    def test_stores_an_event_that_earns_zero_without_a_transfer(self, database, earning):
        with database.write() as db:
            [recorded] = record(db, earning.partner, [event(quantity=Decimal(0))])

            assert recorded.outcome == "no_points"
            assert rows_of(db, transfer) == 0

    def test_does_nothing_for_no_events(self, database, earning):
        with database.write() as db:
            assert record(db, earning.partner, []) == []


class TestTheSameEventAgain:
    def test_posts_once_and_carries_the_original(self, database, earning):
        again = event(event_id="once")
        with database.write() as db:
            [first] = record(db, earning.partner, [again])
        with database.write() as db:
            [second] = record(db, earning.partner, [again])

            assert second == first._replace(outcome="duplicate")
            assert rows_of(db, transfer) == 1

    def test_is_found_in_a_batch_too(self, database, earning):
        again = event(event_id="once")
        with database.write() as db:
            [first] = record(db, earning.partner, [again])
            duplicate, fresh = record(db, earning.partner, [again, event()])

            assert duplicate == first._replace(outcome="duplicate")
            assert fresh.outcome == "posted"
            assert rows_of(db, transfer) == 2

    def test_within_one_batch_is_a_duplicate_of_the_first(self, database, earning):
        again = event(event_id="once")
        with database.write() as db:
            first, second = record(db, earning.partner, [again, again])

            assert second == first._replace(outcome="duplicate")
            assert counters(db, earning.account_id)["credits_posted"] == first.points_minor

    def test_twice_in_a_batch_is_twice_a_duplicate_of_the_stored_one(self, database, earning):
        again = event(event_id="once")
        with database.write() as db:
            [first] = record(db, earning.partner, [again])
            second, third, other = record(db, earning.partner, [again, again, {**again, "reference": "other"}])

        assert second == third == first._replace(outcome="duplicate")
        assert other.code == "other_content"

    @pytest.mark.parametrize("alone", [True, False])
    def test_with_other_content_is_rejected(self, database, earning, alone):
        with database.write() as db:
            record(db, earning.partner, [event(event_id="once", quantity=Decimal(8))])
            others = [] if alone else [event()]
            changed, *_ = record(db, earning.partner, [event(event_id="once", quantity=Decimal(9)), *others])

            assert (changed.outcome, changed.code, changed.id) == ("rejected", "other_content", None)

    def test_with_other_content_within_one_batch_is_rejected(self, database, earning):
        with database.write() as db:
            first, second = record(
                db, earning.partner, [event(event_id="once"), event(event_id="once", reference="other")]
            )

        assert first.outcome == "posted"
        assert second.code == "other_content"

    def test_is_the_same_content_when_only_trailing_zeros_differ(self, database, earning):
        with database.write() as db:
            record(db, earning.partner, [event(event_id="once", quantity=Decimal(8))])
            [second] = record(db, earning.partner, [event(event_id="once", quantity=Decimal("8.00"))])

        assert second.outcome == "duplicate"

    def test_stays_a_duplicate_after_its_enrolment_ended(self, database, earning):
        again = event(event_id="once")
        with database.write() as db:
            record(db, earning.partner, [again])
            _enrol_only_in_october(db, earning)
            [second] = record(db, earning.partner, [again])

        assert second.outcome == "duplicate"

    def test_is_no_duplicate_of_another_partners_event(self, database, earning):
        same = event(event_id="once")
        with database.write() as db:
            other = make_earning(db)
            record(db, earning.partner, [same])
            [recorded] = record(db, other.partner, [same])

        assert recorded.outcome == "posted"


class TestRefusals:
    @pytest.mark.parametrize(
        ("values", "code", "column", "fixable"),
        [
            ({"employee_id": "E9"}, "unknown_member", "employee_id", True),
            ({"program_code": "shoes"}, "unknown_program", "program_code", False),
            ({"event_date": date(2025, 12, 31)}, "before_program", "event_date", False),
            ({"event_date": date(2026, 11, 22)}, "event_in_future", "event_date", False),
            ({"event_date": date(9999, 12, 31)}, "event_in_future", "event_date", False),
            ({"quantity": Decimal(-1)}, "original_not_named", "reference", False),
            ({"quantity": Decimal(10) ** 13}, "quantity_out_of_range", "quantity", False),
            ({"event_id": "x" * 101}, "event_id_length", "event_id", False),
            ({"event_id": ""}, "event_id_length", "event_id", False),
            ({"event_type": "x" * 21}, "event_type_length", "event_type", False),
            ({"event_id": "once "}, "surrounding_blanks", "event_id", False),
            ({"event_id": "on\nce"}, "unprintable", "event_id", False),
            ({"employee_id": "E\x001"}, "unprintable", "employee_id", False),
            ({"employee_id": "E1 "}, "surrounding_blanks", "employee_id", False),
            ({"program_code": "uniform "}, "surrounding_blanks", "program_code", False),
        ],
    )
    def test_names_what_is_wrong_and_stores_nothing(self, database, earning, values, code, column, fixable):
        with database.write() as db:
            refused, posted = record(db, earning.partner, [event(**values), event()])

            assert (refused.outcome, refused.code, refused.column) == ("rejected", code, column)
            assert refused.fixable is fixable
            assert refused.message
            assert posted.outcome == "posted"
            assert rows_of(db, accrual_event) == 1

    @pytest.mark.parametrize("values", [{"employee_id": "E1 "}, {"program_code": "uniform "}, {"event_id": "once "}])
    def test_a_blank_after_a_key_is_refused_alone_too(self, database, earning, values):
        with database.write() as db:
            earn(db, earning, event_id="once")
            [refused] = record(db, earning.partner, [event(**values)])

            assert (refused.outcome, refused.code) == ("rejected", "surrounding_blanks")

    def test_an_event_before_the_first_version_has_no_rule(self, database):
        with database.write() as db:
            partner = partners.make_partner(db)
            rules.live_ruleset(
                db, partner.id, rules.accrual_document(f"{partner.code}.accrual"), effective_from=date(2026, 11, 15)
            )
            partners.make_program(db, partner)
            partners.make_member(db, partner)
            early, due = record(db, partner, [event(), event(event_date=date(2026, 11, 15))])

        assert early.code == "no_rule_in_force"
        assert due.outcome == "posted"

    def test_an_event_for_which_the_rule_has_no_answer_is_refused_by_its_input(self, database):
        a_day_at_most = document(
            ({}, {"points": "15.00"}),
            inputs={"quantity": {"type": "decimal", "scale": 6, "max": "24"}},
            when=True,
        )
        with database.write() as db:
            earning = make_earning(db, document=a_day_at_most)
            too_long, fine = record(db, earning.partner, [event(quantity=Decimal(25)), event()])

        assert (too_long.code, too_long.column) == ("rule_refused", "quantity")
        assert fine.outcome == "posted"

    @pytest.mark.parametrize(
        ("expr", "expected", "code"),
        [
            ({"-": [{"var": "quantity"}, 11]}, "-1.00", "negative_points"),
            ({"*": [{"var": "quantity"}, Decimal(10000000000000)]}, "100000000000000.00", "points_out_of_range"),
        ],
    )
    def test_points_that_cannot_be_posted_are_refused(self, database, expr, expected, code):
        points = {"type": "decimal", "scale": 2, "rounding": "half_up", "expr": expr}
        too_much = document(({"status": "active"}, {"points": expected}), LEFT, outputs={"points": points})
        with database.write() as db:
            earning = make_earning(db, document=too_much)
            [refused] = record(db, earning.partner, [event()])

        assert refused.code == code

    def test_points_finer_than_the_program_are_refused(self, database):
        points = {"type": "decimal", "scale": 3, "rounding": "half_up", "expr": {"/": [{"var": "quantity"}, 8]}}
        eighths = document(({"status": "active"}, {"points": "1.250"}), LEFT, outputs={"points": points})
        with database.write() as db:
            earning = make_earning(db, document=eighths)
            fine, too_fine = record(db, earning.partner, [event(quantity=Decimal(2)), event(quantity=Decimal(1))])

        assert fine.points_minor == 25
        assert too_fine.code == "points_too_fine"


class TestTheRuleInForce:
    def test_is_that_of_the_events_date(self, database, earning):
        with database.write() as db:
            rules.live_ruleset(
                db,
                earning.partner.id,
                rules.accrual_document(f"{earning.partner.code}.accrual", rate="2"),
                effective_from=date(2026, 11, 10),
                now=NOW - timedelta(days=1),
            )
            before, after = record(db, earning.partner, [event(), event(event_date=date(2026, 11, 10))])

        assert (before.points_minor, after.points_minor) == (1500, 2000)
        assert before.version_id == earning.version.version_id != after.version_id

    def test_is_the_one_known_when_it_is_decided(self, database, earning):
        with database.write() as db:
            rules.live_ruleset(
                db,
                earning.partner.id,
                rules.accrual_document(f"{earning.partner.code}.accrual", rate="2"),
                now=NOW + timedelta(days=1),
            )
            [recorded] = record(db, earning.partner, [event()])

        assert recorded.version_id == earning.version.version_id

    def test_sees_the_job_code_of_the_event_before_that_of_the_roster(self, database):
        for_pilots = document(
            ({"job_code": "PILOT"}, {"points": "15.00"}),
            ({"job_code": "CREW"}, {"applies": False}),
            inputs={"quantity": {"type": "decimal", "scale": 6}, "job_code": {"type": "string"}},
            when={"==": [{"var": "job_code"}, "PILOT"]},
        )
        with database.write() as db:
            earning = make_earning(db, document=for_pilots)
            crew, pilot = record(db, earning.partner, [event(), event(job_code_override="PILOT")])

        assert (crew.outcome, pilot.outcome) == ("no_points", "posted")

    def test_sees_the_member_as_of_the_events_date(self, database, earning):
        with database.write() as db:
            leaving = partners.roster_row(
                "E1", action="T", term_date=date(2026, 11, 10), effective_date=date(2026, 11, 10)
            )
            assert partners.apply_rows(db, earning.partner, [leaving]) == ["accepted"]
            [recorded] = record(db, earning.partner, [event(event_date=date(2026, 11, 2))])

        assert recorded.outcome == "posted"


class TestALargeBatch:
    """So many rows that MySQL gets them by LOAD DATA."""

    def test_posts_the_new_and_answers_the_others(self, database, earning):
        with database.write() as db:
            known = sorted(partners.make_members(db, earning.partner, 50))
            events = [
                event(
                    event_id=f"{number:04}",
                    employee_id=known[number % 50],
                    quantity=Decimal(number),
                    description="ö\t\\",
                )
                for number in range(1, 401)
            ]
            earlier = record(db, earning.partner, events[100:110])
            strangers = [event(employee_id="E9999"), event(event_id="0042", employee_id=known[0])]
            recorded = record(db, earning.partner, [*events, *strangers])

            outcomes = [each.outcome for each in recorded]
            assert outcomes == ["posted"] * 100 + ["duplicate"] * 10 + ["posted"] * 290 + ["rejected"] * 2
            assert [each.id for each in recorded[100:110]] == [each.id for each in earlier]
            assert [each.code for each in recorded[400:]] == ["unknown_member", "other_content"]
            assert sum(each.points_minor for each in recorded) == 150 * sum(range(1, 401))
            moved = db.execute(select(func.sum(transfer.c.amount_minor))).scalar_one()
            assert moved == 150 * sum(range(1, 401))
            kept = db.execute(select(accrual_event.c.facts).where(accrual_event.c.event_id == "0001")).scalar_one()
            assert json.loads(kept)["event"]["description"] == "ö\t\\"


class TestEarn:
    def test_adds_to_what_was_earned_before(self, database, earning):
        with database.write() as db:
            earn(db, earning, 10)
            earn(db, earning, 4)

            assert counters(db, earning.account_id) == {
                "debits_pending": 0,
                "debits_posted": 0,
                "credits_pending": 0,
                "credits_posted": 2100,
                "entry_no": 2,
            }
