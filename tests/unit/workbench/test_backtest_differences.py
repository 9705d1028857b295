"""What a back-test says a draft would have changed: by member, program and event."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select

from chalicelib.errors import InvalidInput, NotFound, Unprocessable
from chalicelib.workbench.models import backtest_record
from tests.factories import backtests, partners, rules
from tests.factories.points import NOW, event, make_earning, record

pytestmark = pytest.mark.usefixtures("data_key")
NONE = {"unchanged": 0, "more": 0, "less": 0, "without_points": 0, "refused": 0, "accepted": 0}


def document(earning, rate="1.5", **changes):
    return rules.accrual_document(f"{earning.partner.code}.accrual", rate=rate, **changes)


def draft(database, earning, rate="1.5", **changes):
    with database.write() as db:
        return backtests.draft(db, earning.partner.id, document(earning, rate, **changes))


def live(database, earning, *events):
    with database.write() as db:
        return record(db, earning.partner, list(events))


def points(expr, **more):
    """The output of a rule that reads the quantity alone."""
    return {
        "inputs": {"quantity": {"type": "decimal", "scale": 6}},
        "when": True,
        "outputs": {"points": {"type": "decimal", "scale": 2, "rounding": "half_up", "expr": expr}},
        "cases": [{"name": "nothing", "as_of": "2026-11-02", "given": {"quantity": "0"}, "expect": {"points": "0.00"}}],
        **more,
    }


def capped(rate, cap):
    """``rate`` points an hour up to ``cap`` a month."""
    room = {"max": [0, {"-": [cap, {"var": "so_far"}]}]}
    found = points({"min": [{"*": [{"var": "quantity"}, Decimal(rate)]}, room]})
    found["aggregates"] = {"so_far": {"of": "points", "period": "calendar_month"}}
    found["cases"] = [
        rules.capped_case("0", "0.00", so_far="0.00"),
        rules.capped_case("1000", f"{cap}.00", so_far="0.00"),
        rules.capped_case("1000", "0.00", so_far=f"{cap + 5}.00"),
    ]
    return found


def changes(done):
    [program] = backtests.summary(done)["programs"].values()
    return program["changes"]


def records(database, done):
    with database.read() as db:
        return db.execute(
            select(backtest_record).where(backtest_record.c.backtest_id == done.id).order_by(backtest_record.c.number)
        ).all()


class TestAChangedRate:
    def test_gives_the_hand_computed_difference_of_each_member(self, database, earning):
        with database.write() as db:
            other = partners.make_member(db, earning.partner, "E2")
        live(database, earning, event(quantity=Decimal(10)), event(quantity=Decimal("7.25")))
        live(database, earning, event(quantity=Decimal(4), employee_id="E2"))

        done = backtests.run(database, earning.partner.id, draft(database, earning, "2"))

        assert done.state == "done", done.reason
        assert (done.events_done, done.events_total) == (3, 3)
        assert backtests.members(database, done) == {
            earning.member.id: (1500 + 1088, 2000 + 1450),
            other.id: (600, 800),
        }
        [program] = backtests.summary(done)["programs"].values()
        assert (program["then_minor"], program["now_minor"]) == (3188, 4250)
        assert (program["events"], program["members"], program["members_changed"]) == (3, 2, 2)
        assert program["changes"] == NONE | {"more": 3}

    def test_counts_which_versions_decided_then(self, database, earning):
        live(database, earning, event(), event())

        done = backtests.run(database, earning.partner.id, draft(database, earning, "1"))

        assert backtests.summary(done)["versions"] == {earning.version.version_id.hex(): 2}
        assert changes(done) == NONE | {"less": 2}

    def test_is_tried_on_the_selected_days_only(self, database, earning):
        live(database, earning, *[event(event_date=date(2026, 11, day)) for day in (1, 2, 3)])

        done = backtests.run(
            database,
            earning.partner.id,
            draft(database, earning, "2"),
            first_day=date(2026, 11, 2),
            last_day=date(2026, 11, 2),
        )

        assert backtests.members(database, done) == {earning.member.id: (1500, 2000)}

    def test_leaves_out_what_arrives_after_it_was_asked_for(self, database, earning):
        live(database, earning, event())
        waiting = backtests.asked(database, earning.partner.id, draft(database, earning, "2"))
        live(database, earning, event())

        done = backtests.finish(database, waiting)

        assert (done.events_done, done.events_total) == (1, 1)


class TestPeriodSums:
    def test_are_made_anew_under_the_draft(self, database):
        with database.write() as db:
            earning = make_earning(db, document=rules.accrual_document(**capped("1", 100)))
        # 60 + 40 of 60: the cap of 100 is reached by the second.
        live(database, earning, event(quantity=Decimal(60)), event(quantity=Decimal(60)))

        done = backtests.run(database, earning.partner.id, draft(database, earning, **capped("0.5", 45)))

        # 30 + 15 of 30, since the draft's own sum counts.
        assert backtests.members(database, done) == {earning.member.id: (10000, 4500)}

    def test_begin_with_what_stands_outside_the_selection(self, database):
        with database.write() as db:
            earning = make_earning(db, document=rules.accrual_document(**capped("1", 100)))
        first, second = date(2026, 11, 2), date(2026, 11, 3)
        live(database, earning, event(quantity=Decimal(60), event_date=first))
        live(database, earning, event(quantity=Decimal(30), event_date=second))

        done = backtests.run(
            database, earning.partner.id, draft(database, earning, **capped("2", 100)), first_day=second
        )

        # The 60 of the day before stand, as they were decided; 40 of 60 are left.
        assert backtests.members(database, done) == {earning.member.id: (3000, 4000)}

    def test_of_another_month_do_not_count(self, database):
        with database.write() as db:
            earning = make_earning(db, document=rules.accrual_document(**capped("1", 100)))
        live(database, earning, event(quantity=Decimal(90), event_date=date(2026, 10, 31)))
        live(database, earning, event(quantity=Decimal(30), event_date=date(2026, 11, 1)))

        done = backtests.run(
            database, earning.partner.id, draft(database, earning, **capped("2", 100)), first_day=date(2026, 11, 1)
        )

        assert backtests.members(database, done) == {earning.member.id: (3000, 6000)}


class TestFacts:
    def test_that_the_old_version_did_not_read_are_the_members_on_the_events_date(self, database, earning):
        days = date(2026, 11, 2), date(2026, 11, 9)
        live(database, earning, *[event(event_date=day) for day in days])
        with database.write() as db:
            changed = partners.roster_row("E1", action="C", grade="G9", effective_date=date(2026, 11, 5))
            partners.apply_rows(db, earning.partner, [changed])
        tried = points({"if": [{"==": [{"coalesce": [{"var": "grade"}, ""]}, "G9"]}, {"var": "quantity"}, 1]})
        tried["inputs"]["grade"] = {"type": "string", "nullable": True}
        tried["cases"][0]["given"]["grade"] = "G9"

        done = backtests.run(database, earning.partner.id, draft(database, earning, **tried))

        assert backtests.members(database, done) == {earning.member.id: (3000, 100 + 1000)}

    def test_that_the_old_version_did_not_read_are_the_events_own(self, database, earning):
        live(database, earning, event(amount=Decimal("19.90"), currency="EUR", job_code_override="PILOT"), event())
        tried = points(
            {"if": [{"==": [{"var": "job_code"}, "PILOT"]}, {"coalesce": [{"var": "amount"}, 0]}, 1]},
        )
        tried["inputs"] |= {
            "amount": {"type": "decimal", "scale": 6, "nullable": True},
            "job_code": {"type": "string"},
        }
        tried["cases"][0]["given"] |= {"amount": None, "job_code": "PILOT"}

        done = backtests.run(database, earning.partner.id, draft(database, earning, **tried))

        assert backtests.members(database, done) == {earning.member.id: (3000, 1990 + 100)}

    def test_of_code_tables_are_those_of_the_events_date(self, database, earning):
        live(database, earning, event(event_date=date(2026, 11, 1)), event(event_date=date(2026, 11, 2)))
        code = f"{earning.partner.code}.factor"
        entries = [
            {"code": "HOUR", "value": "1", "effective_to": "2026-11-01"},
            {"code": "HOUR", "value": "3", "effective_from": "2026-11-02"},
        ]
        with database.write() as db:
            rules.code_table(db, earning.partner.id, rules.table_document(code) | {"entries": entries})
        factor = {"parse_decimal": [{"lookup": [code, {"var": "unit"}, {"on_miss": "error"}]}]}
        tried = points({"*": [{"var": "quantity"}, factor]})
        tried["inputs"]["unit"] = {"type": "string"}
        tried["cases"] = [
            {
                "name": "an hour",
                "as_of": "2026-11-02",
                "given": {"quantity": "1", "unit": "HOUR"},
                "code_tables": {code: {"HOUR": "3"}},
                "expect": {"points": "3.00"},
            }
        ]

        done = backtests.run(database, earning.partner.id, draft(database, earning, **tried))

        assert backtests.members(database, done) == {earning.member.id: (3000, 1000 + 3000)}


class TestRecordsThatStandOut:
    def test_are_those_that_the_draft_refuses(self, database, earning):
        live(database, earning, event(quantity=Decimal(10)), event(event_id="bad", quantity=Decimal(13)))
        divided = {"/": [{"*": [{"var": "quantity"}, 10]}, {"-": [13, {"var": "quantity"}]}]}

        done = backtests.run(database, earning.partner.id, draft(database, earning, **points(divided)))

        assert changes(done) == NONE | {"more": 1, "refused": 1}
        assert backtests.members(database, done) == {earning.member.id: (1500 + 1950, 3333)}
        [refused] = records(database, done)
        assert (refused.kind, refused.event_id, refused.then_minor, refused.now_minor) == ("refused", "bad", 1950, 0)
        assert (refused.code, refused.field) == ("rule_refused", "quantity")
        [reason] = backtests.summary(done)["reasons"]["refused"].items()
        assert reason == ("rule_refused quantity", 1)

    def test_a_refused_event_adds_nothing_to_the_sums(self, database):
        with database.write() as db:
            earning = make_earning(db, document=rules.accrual_document(**capped("1", 100)))
        live(database, earning, event(quantity=Decimal(13)), event(quantity=Decimal(90)))
        tried = capped("1", 100)
        expr = tried["outputs"]["points"]["expr"]
        gap = {"-": [{"var": "quantity"}, 13]}
        tried["outputs"]["points"]["expr"] = {"/": [{"*": [expr, gap]}, gap]}

        done = backtests.run(database, earning.partner.id, draft(database, earning, **tried))

        # 13 + 87 then; now 90 alone, which the cap leaves whole.
        assert backtests.members(database, done) == {earning.member.id: (10000, 9000)}

    def test_events_that_earn_nothing_any_more_are_counted_apart(self, database, earning):
        live(database, earning, event(quantity=Decimal(10)), event(quantity=Decimal(2)), event(quantity=Decimal(0)))
        high = {"if": [{">": [{"var": "quantity"}, 5]}, {"*": [{"var": "quantity"}, Decimal("1.5")]}, 0]}

        done = backtests.run(database, earning.partner.id, draft(database, earning, **points(high)))

        assert changes(done) == NONE | {"unchanged": 2, "without_points": 1}


class TestMovers:
    def test_are_the_biggest_differences_of_members_and_events(self, database, earning):
        with database.write() as db:
            partners.make_members(db, earning.partner, 25)
        hours = {f"E{number:04}": number for number in range(1, 26)}
        live(database, earning, *[event(employee_id=who, quantity=Decimal(n)) for who, n in hours.items()])
        live(database, earning, event(employee_id="E0003", quantity=Decimal(40)))

        done = backtests.run(database, earning.partner.id, draft(database, earning, "2.5"))

        movers = backtests.summary(done)["movers"]
        assert [each["now_minor"] - each["then_minor"] for each in movers["events"]] == [
            4000,
            *[100 * n for n in range(25, 6, -1)],
        ]
        assert [each["now_minor"] - each["then_minor"] for each in movers["members"]] == [
            4300,
            *[100 * n for n in range(25, 6, -1)],
        ]
        assert movers["members"][0]["event"]["then_minor"] == 6000


class TestAsking:
    def test_for_nothing_is_refused(self, database, earning):
        with pytest.raises(InvalidInput, match="which files"):
            backtests.asked(database, earning.partner.id, earning.version, file_ids=[])

    def test_for_days_in_the_wrong_order_is_refused(self, database, earning):
        days = {"first_day": date(2026, 11, 2), "last_day": date(2026, 11, 1)}
        with pytest.raises(InvalidInput, match="before the first"):
            backtests.asked(database, earning.partner.id, earning.version, **days)

    def test_for_another_partners_program_is_refused(self, database, earning):
        with pytest.raises(NotFound):
            backtests.asked(
                database, earning.partner.id, earning.version, first_day=NOW.date(), program_codes=["other"]
            )

    def test_of_a_version_without_a_program_names_what_to_do(self, database, earning):
        with database.write() as db:
            stranger = rules.live_ruleset(
                db, earning.partner.id, rules.accrual_document(f"{earning.partner.code}.second")
            )
        with pytest.raises(Unprocessable, match="name the programs"):
            backtests.asked(database, earning.partner.id, stranger)
        live(database, earning, event())

        done = backtests.run(
            database, earning.partner.id, stranger, first_day=NOW.date() - timedelta(days=60), program_codes=["uniform"]
        )

        assert backtests.members(database, done) == {earning.member.id: (1500, 1500)}
