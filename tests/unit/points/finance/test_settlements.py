"""Settlements: a month is invoiced once, its postings balance, and what comes late is in the next one."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.partners.programs import terms as terms_room
from chalicelib.partners.programs.finance_terms import SettlementTerms
from chalicelib.partners.programs.programs import Program
from chalicelib.points.finance import documents, figures, months, settlements, settling
from chalicelib.points.finance.figures import Before
from chalicelib.points.finance.months import PeriodOpen
from chalicelib.points.finance.ranges import Moved
from chalicelib.points.finance.settlements import NotSettled, Reversed
from chalicelib.points.finance.settling import LaterPeriodSettled
from chalicelib.points.finance.worth import NoValue
from tests.factories import points
from tests.factories.finance import BALANCE_SHEET, SETTLEMENT, VALUE, at, settled_by, with_terms
from tests.factories.points import CALLER, NOW, expire, redeem, refund, with_rules

OCTOBER = at(date(2026, 11, 1))
NOVEMBER = at(date(2026, 12, 1))


def on(day, month=10, hour=18):
    return at(date(2026, month, day), hour)


@pytest.fixture
def settled(database, earning):
    """A partner that is settled, whose member earned 45 points in October and spent 20."""
    with database.write() as db:
        made = with_terms(db, earning, value=VALUE)
        settled_by(db, made)
        events = [points.event(event_date=date(2026, 10, 1)) for _ in range(3)]
        points.record(db, made.partner, events, now=on(2))
        redeem(db, made, 1250, 750, now=on(3))
    return made


def settle(db, earning, period="2026-10", now=OCTOBER):
    made, _, new = settling.settle(db, earning.partner, period, caller=CALLER, now=now)
    return made, new


def lines_of(db, made):
    return figures.stored(db, made.id)


@pytest.mark.usefixtures("provable")
class TestSettling:
    def test_invoices_what_was_redeemed_with_fees_and_tax(self, database, settled):
        with database.write() as db:
            made, new = settle(db, settled)
            [line] = lines_of(db, made)

        assert new
        assert (line.redeemed_minor, line.refunded_minor, line.given_minor) == (2000, 0, 4500)
        # 20 points at 2 cents; 2.5 % of 40 cents is one cent; 8.875 % of 41 cents is 3.64 cents.
        assert (line.value_minor, line.fees_minor, line.tax_minor, line.total_minor) == (40, 1, 4, 45)
        assert (line.currency, line.difference_minor, made.entries) == ("USD", 0, 4)

    def test_an_entry_that_waited_past_midnight_is_in_one_settlement(self, database, settled):
        midnight, january = datetime(2026, 12, 1, 6, tzinfo=UTC), at(date(2027, 1, 2))
        with database.write() as db:
            months_made = [settle(db, settled)[0]]
            # The first came after midnight and got the account at once; the second began before it, and waited.
            redeem(db, settled, 700, now=midnight + timedelta(milliseconds=100))
            redeem(db, settled, 300, now=midnight - timedelta(milliseconds=100))
            months_made.append(settle(db, settled, "2026-11", now=at(date(2026, 12, 2)))[0])
            redeem(db, settled, 100, now=on(5, month=12))
            months_made.append(settle(db, settled, "2026-12", now=january)[0])

            redeemed = [line.redeemed_minor for made in months_made for line in lines_of(db, made)]

        assert sum(redeemed) == 2000 + 700 + 300 + 100

    def test_posts_a_document_that_balances(self, database, settled):
        with database.write() as db:
            made, _ = settle(db, settled)
            [document] = documents.of_settlement(db, made.id)

        assert document.difference_minor == 0
        assert (document.company_code, document.posting_date, document.currency) == ("1000", date(2026, 10, 31), "USD")
        assert [(each.gl_account, each.side, each.amount_minor) for each in document.items] == [
            ("140000", "D", 45),
            ("400100", "C", 40),
            ("400900", "C", 1),
            ("217000", "C", 4),
        ]

    def test_posts_what_it_did_to_the_liability_where_accounts_are_named(self, database, settled):
        with database.write() as db:
            settled_by(db, settled, accounts=SETTLEMENT["accounts"] | BALANCE_SHEET)
            settled = with_rules(db, settled, lots={"expires": {"days": 10}})
            settled = with_terms(db, settled, value=VALUE)
            points.record(db, settled.partner, [points.event(event_date=date(2026, 10, 3))], now=on(4))
            expire(db, settled, date(2026, 10, 20), now=on(20))
            made, _ = settle(db, settled)
            [line] = lines_of(db, made)
            _, document = documents.of_settlement(db, made.id)

        assert (line.given_minor, line.lapsed_minor) == (6000, 1500)
        assert document.difference_minor == 0
        assert [(each.gl_account, each.side, each.amount_minor) for each in document.items] == [
            ("640000", "D", 120), ("217500", "C", 120),
            ("217500", "D", 40), ("640000", "C", 40),
            ("217500", "D", 30), ("480000", "C", 30),
        ]  # fmt: skip

    def test_again_answers_with_the_first_whatever_came_since(self, database, settled):
        with database.write() as db:
            first, _ = settle(db, settled)
            redeem(db, settled, 100, now=on(2, 11))
            again, new = settle(db, settled, now=NOVEMBER)

        assert (again, new) == (first, False)

    def test_has_what_was_posted_before_the_months_end_and_the_next_has_the_rest(self, database, settled):
        midnight = datetime(2026, 11, 1, 5, tzinfo=UTC)
        with database.write() as db:
            redeem(db, settled, 300, now=midnight - timedelta(microseconds=1))
            redeem(db, settled, 5, now=midnight)
            october, _ = settle(db, settled)
            # Somebody's clock was slow: it was posted in October and committed after its settlement.
            redeem(db, settled, 7, now=on(31))
            november, _ = settle(db, settled, "2026-11", NOVEMBER)
            redeemed = [line.redeemed_minor for made in (october, november) for line in lines_of(db, made)]
            differences = [line.difference_minor for made in (october, november) for line in lines_of(db, made)]
            again = settling.recomputed(db, october)

        assert redeemed == [2300, 12]
        assert differences == [0, 0]
        # Asked again, October says the same.
        assert again == _stored(database, october)

    def test_values_a_refund_at_what_its_redemption_was_invoiced_with(self, database, settled):
        with database.write() as db:
            points.record(db, settled.partner, [points.event(event_date=date(2026, 6, 1))], now=on(1, 6))
            sold = redeem(db, settled, 1000, now=on(2, 6))
            settle(db, settled)
            refund(db, settled, sold, now=on(2, 11))
            made, _ = settle(db, settled, "2026-11", NOVEMBER)
            [line] = lines_of(db, made)

        # A cent a point in June, two in November: the partner gets back what it paid.
        assert (line.refunded_minor, line.value_minor, line.fees_minor) == (1000, -10, 0)

    def test_is_taken_back_by_a_counter_document_and_settled_again(self, database, settled):
        with database.write() as db:
            first, _ = settle(db, settled)
            redeem(db, settled, 100, now=on(5, 11))
            settle(db, settled, "2026-11", NOVEMBER)
            given = {"reason": "wrong fee", "posting_date": date(2026, 12, 2), "caller": CALLER, "now": NOVEMBER}
            counter, new = settlements.take_back(db, first.id, **given)
            again, repeated = settlements.take_back(db, first.id, **given)
            with pytest.raises(Reversed):
                settlements.take_back(db, counter.id, **given)
            settled_by(db, settled, fee_percent="10")
            second, _ = settle(db, settled, now=NOVEMBER)
            totals = [line.total_minor for made in (first, counter, second) for line in lines_of(db, made)]
            differences = [line.difference_minor for line in lines_of(db, second)]
            [posted], [countered] = documents.of_settlement(db, first.id), documents.of_settlement(db, counter.id)

        assert (new, repeated, again) == (True, False, counter)
        assert totals == [45, -45, 48]
        assert (second.part, second.entries, second.kind) == (3, first.entries, "settlement")
        sides = {"D": "C", "C": "D"}
        assert [(each.gl_account, sides[each.side], each.amount_minor) for each in posted.items] == [
            (each.gl_account, each.side, each.amount_minor) for each in countered.items
        ]
        # November's settlement stands, and its 100 points are neither lost nor counted twice.
        assert differences == [-100]

    def test_is_refused_before_its_time_after_a_later_one_and_without_terms(self, database, settled):
        with database.write() as db:
            with pytest.raises(PeriodOpen):
                settle(db, settled, now=datetime(2026, 11, 1, 5, 19, tzinfo=UTC))
            settle(db, settled)
            with pytest.raises(LaterPeriodSettled):
                settle(db, settled, "2026-09", NOVEMBER)
        with database.write() as db:
            other = points.make_earning(db)
            with pytest.raises(NotSettled):
                settle(db, other)
            settled_by(db, other)
            points.record(db, other.partner, [points.event(event_date=date(2026, 10, 1))], now=on(2))
            redeem(db, other, 100, now=on(3))
            with pytest.raises(NoValue):
                settle(db, other)


def _stored(database, made):
    with database.read() as db:
        return figures.stored(db, made.id)


def program_of(number, currency):
    given = dict.fromkeys(Program.__slots__)
    said = terms_room.Terms.model_validate({"value": {**VALUE, "currency": currency}})
    given |= {"id": bytes([number]) * 16, "code": f"program-{number}", "unit": "points", "scale": number % 4}
    return Program(**given | {"terms": terms_room.kept(said)})


PROGRAMS = [program_of(number, "USD" if number % 2 else "EUR") for number in range(6)]
MOVEMENTS = st.lists(
    st.tuples(
        st.integers(0, 5),
        st.sampled_from(["redeemed", "refunded", "given", "brought", "lapsed", "paid_out", "moved"]),
        st.dates(date(2026, 1, 1), date(2026, 12, 31)),
        st.integers(0, 10**10),
    ),
    max_size=30,
)
PERCENT = st.integers(0, 1_000_000).map(lambda number: f"{number / 10_000:.4f}")


@given(MOVEMENTS, PERCENT, PERCENT, st.sampled_from(["half_up", "half_even"]))
def test_every_document_balances_and_no_cent_of_the_invoice_is_lost(movements, fee, tax, rounding):
    said = SETTLEMENT | {"fee_percent": fee, "tax_percent": tax, "rounding": rounding}
    terms = SettlementTerms.model_validate(said | {"accounts": SETTLEMENT["accounts"] | BALANCE_SHEET})
    moved = [Moved(PROGRAMS[at_].id, kind, day, amount) for at_, kind, day, amount in movements]
    own = {program.id: program for program in PROGRAMS}
    lines = figures.of(moved, own, terms, before=Before({}, {}, {}, {}), last_day=date(2026, 10, 31))
    posted = documents.of(
        lines, terms, source_id=b"s" * 16, period="2026-10", reference="stl", posting_date=date(2026, 10, 31)
    )

    assert [document.difference_minor for document in posted] == [0] * len(posted)
    assert all(item.amount_minor > 0 for document in posted for item in document.items)
    for currency in ("USD", "EUR"):
        mine = [line for line in lines if line.currency == currency]
        value = sum(line.value_minor for line in mine)
        fees = sum(line.fees_minor for line in mine)
        assert abs(Decimal(fee) * value / 100 - fees) <= Decimal("0.5")
        assert abs(Decimal(tax) * (value + fees) / 100 - sum(line.tax_minor for line in mine)) <= Decimal("0.5")
        assert all(line.total_minor == line.value_minor + line.fees_minor + line.tax_minor for line in mine)


class TestMonths:
    def test_end_with_the_partners_day(self, earning):
        october = months.named("2026-10", earning.partner)

        assert (october.first_day, october.last_day) == (date(2026, 10, 1), date(2026, 10, 31))
        # Chicago's clocks went back on the first of November, after midnight.
        assert october.until == datetime(2026, 11, 1, 5, tzinfo=UTC)
        assert months.latest_over(earning.partner, NOW).name == "2026-10"
