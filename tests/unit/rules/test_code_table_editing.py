"""One entry at a time: set, ended, split; nothing is on two values on one day, and what was is kept."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime

import pytest
from sqlalchemy import func, select

from chalicelib.access.models import audit_event
from chalicelib.errors import NotFound, Unprocessable
from chalicelib.rules import code_table_content, code_table_editing, code_tables
from chalicelib.rules.code_table_content import ALWAYS, Entry
from chalicelib.rules.code_table_editing import EntryOverlaps, Wanted, Way, arrange
from chalicelib.rules.models import code_table as table_of_tables
from chalicelib.rules.models import code_table_entry
from tests.factories.rules import AUTHOR, code_table, table_document

ACME = b"acme" * 4
OTHER = b"othr" * 4
BEFORE = datetime(2026, 11, 20, 11, 0, tzinfo=UTC)
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
LATER = datetime(2026, 11, 20, 13, 0, tzinfo=UTC)
TODAY = date(2026, 11, 20)


def day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)


def entry(value: str, first: str | None = None, last: str | None = None) -> Entry:
    return Entry("G1", day(first) or ALWAYS, day(last), value, None)


def wanted(value: str, first: str | None = None, last: str | None = None, *, active: bool = True) -> Wanted:
    return Wanted("G1", value, day(first) or ALWAYS, day(last), active=active)


def told(entries) -> list[tuple[str, str, str | None]]:
    return [(each.value, str(each.effective_from), each.effective_to and str(each.effective_to)) for each in entries]


class TestArranging:
    def test_what_reaches_into_a_new_entry_refuses_it_and_says_how_to_mend_that(self):
        with pytest.raises(EntryOverlaps, match=r"from always on: .*ends_earlier"):
            arrange([entry("1")], wanted("2", "2026-07-01"), Way.REFUSE)

    def test_what_reaches_into_it_ends_the_day_before_when_told_so(self):
        after = arrange([entry("1")], wanted("2", "2026-07-01"), Way.END)

        assert told(after) == [("1", "1900-01-01", "2026-06-30"), ("2", "2026-07-01", None)]

    @pytest.mark.parametrize(("last", "days"), [(None, "2026-08-01 on"), ("2026-12-31", "2026-08-01 to 2026-12-31")])
    def test_what_ends_leaves_no_days_without_a_value(self, last: str | None, days: str):
        with pytest.raises(EntryOverlaps, match=rf"from {days} the code would have no value.*`splits_earlier`"):
            arrange([entry("1", last=last)], wanted("2", "2026-07-01", "2026-07-31"), Way.END)

    @pytest.mark.parametrize("way", [Way.END, Way.SPLIT, Way.FIT])
    def test_nothing_goes_on_after_an_entry_with_which_the_code_ends(self, way: Way):
        after = arrange([entry("1")], wanted("2", "2026-07-01", "2026-07-31", active=False), way)

        assert told(after) == [("1", "1900-01-01", "2026-06-30"), ("2", "2026-07-01", "2026-07-31")]

    @pytest.mark.parametrize("last", [None, "2026-12-31"])
    def test_what_is_split_goes_on_after_an_entry_with_an_end(self, last: str | None):
        after = arrange([entry("1", last=last)], wanted("2", "2026-07-01", "2026-07-31"), Way.SPLIT)

        assert told(after) == [
            ("1", "1900-01-01", "2026-06-30"),
            ("2", "2026-07-01", "2026-07-31"),
            ("1", "2026-08-01", last),
        ]

    @pytest.mark.parametrize("last", [None, "9999-12-31"])
    def test_what_is_split_by_an_entry_for_ever_ends(self, last: str | None):
        after = arrange([entry("1")], wanted("2", "2026-07-01", last), Way.SPLIT)

        assert told(after) == [("1", "1900-01-01", "2026-06-30"), ("2", "2026-07-01", last)]

    @pytest.mark.parametrize("way", [Way.REFUSE, Way.END, Way.SPLIT])
    @pytest.mark.parametrize("last", [None, "2026-07-01"])
    def test_a_later_entry_never_gives_way(self, way: Way, last: str | None):
        with pytest.raises(EntryOverlaps, match=r"end on 2026-06-30 \(effective_to\)"):
            arrange([entry("2", "2026-07-01")], wanted("1", "2026-01-01", last), way)

    def test_the_entry_of_the_same_first_day_is_replaced(self):
        after = arrange([entry("1", "2026-01-01", "2026-05-31")], wanted("2", "2026-01-01", "2026-06-30"), Way.REFUSE)

        assert told(after) == [("2", "2026-01-01", "2026-06-30")]

    @pytest.mark.parametrize("way", [Way.REFUSE, Way.END])
    def test_a_replacement_that_ends_sooner_leaves_no_days_without_a_value(self, way: Way):
        with pytest.raises(EntryOverlaps, match="from 2026-07-01 on the code would have no value"):
            arrange([entry("1", "2026-01-01")], wanted("2", "2026-01-01", "2026-06-30"), way)

    @pytest.mark.parametrize("way", [Way.SPLIT, Way.FIT])
    def test_what_is_replaced_goes_on_after_a_replacement_that_ends_sooner(self, way: Way):
        after = arrange([entry("1", "2026-01-01")], wanted("2", "2026-01-01", "2026-06-30"), way)

        assert told(after) == [("2", "2026-01-01", "2026-06-30"), ("1", "2026-07-01", None)]

    @pytest.mark.parametrize("way", Way)
    def test_an_entry_is_closed_by_saying_it_again_with_an_end(self, way: Way):
        after = arrange([entry("1", "2026-01-01")], wanted("1", "2026-01-01", "2026-06-30"), way)

        assert told(after) == [("1", "2026-01-01", "2026-06-30")]

    def test_neighbours_without_a_day_between_them_are_no_overlap(self):
        neighbours = [entry("1", "2026-01-01", "2026-06-30"), entry("3", "2026-08-01")]

        after = arrange(neighbours, wanted("2", "2026-07-01", "2026-07-31"), Way.REFUSE)

        assert [each.value for each in after] == ["1", "2", "3"]

    def test_an_entry_does_not_end_before_it_starts(self):
        with pytest.raises(Unprocessable) as refused:
            arrange([], wanted("1", "2026-07-01", "2026-06-30"), Way.REFUSE)

        assert refused.value.code == "ends_before_it_starts"


class TestEnding:
    def test_what_holds_on_the_day_ends_the_day_before(self):
        after = arrange([entry("1")], wanted("1", "2026-07-01", active=False), Way.REFUSE)

        assert told(after) == [("1", "1900-01-01", "2026-06-30")]

    def test_what_begins_on_the_day_never_held(self):
        kept = entry("1", last="2026-06-30")

        assert arrange([kept, entry("2", "2026-07-01")], wanted("2", "2026-07-01", active=False), Way.REFUSE) == (kept,)

    def test_what_begins_later_stays(self):
        later = entry("2", "2026-09-01")

        after = arrange([entry("1", last="2026-08-31"), later], wanted("1", "2026-07-01", active=False), Way.REFUSE)

        assert told(after) == [("1", "1900-01-01", "2026-06-30"), ("2", "2026-09-01", None)]

    def test_what_has_ended_already_is_left_alone(self):
        ended = (entry("1", last="2026-06-30"),)

        assert arrange(ended, wanted("1", "2026-07-01", active=False), Way.REFUSE) == ended

    def test_with_a_last_day_it_holds_until_then(self):
        after = arrange([entry("1")], wanted("1", None, "2026-06-30", active=False), Way.REFUSE)

        assert told(after) == [("1", "1900-01-01", "2026-06-30")]


class TestFitting:
    """The way of files: whatever the order of rows without an end, the same comes of them."""

    ROWS = (wanted("1", "2026-01-01"), wanted("2", "2026-07-01"), wanted("3", "2026-09-01"))

    @pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (2, 0, 1), (0, 1, 2, 0, 1, 2)])
    def test_rows_fit_in_any_order_and_again(self, order: tuple[int, ...]):
        entries: tuple[Entry, ...] = ()
        for number in order:
            entries = arrange(entries, self.ROWS[number], Way.FIT)

        assert told(entries) == [
            ("1", "2026-01-01", "2026-06-30"),
            ("2", "2026-07-01", "2026-08-31"),
            ("3", "2026-09-01", None),
        ]

    def test_what_has_no_end_goes_on_after_a_row_with_one_and_so_it_stays(self):
        march = wanted("2", "2026-03-01", "2026-03-31")
        split = [("1", "2026-01-01", "2026-02-28"), ("2", "2026-03-01", "2026-03-31"), ("1", "2026-04-01", None)]
        entries: tuple[Entry, ...] = ()

        for row in (self.ROWS[0], march, march, self.ROWS[0], march):
            entries = arrange(entries, row, Way.FIT)
            assert told(entries) in (split, [("1", "2026-01-01", None)])

        assert told(entries) == split

    def test_a_row_without_an_end_does_not_end_unseen_where_a_later_one_does(self):
        march = arrange((), wanted("2", "2026-03-01", "2026-03-31"), Way.FIT)

        with pytest.raises(EntryOverlaps, match=r"from 2026-04-01 on the code would have no value.*end on 2026-02-28"):
            arrange(march, self.ROWS[0], Way.FIT)

    def test_a_row_between_two_others_fits_as_well(self):
        entries = arrange(arrange((), self.ROWS[0], Way.FIT), self.ROWS[1], Way.FIT)

        after = arrange(entries, wanted("1.5", "2026-03-01"), Way.FIT)

        assert [each[1:] for each in told(after)] == [
            ("2026-01-01", "2026-02-28"),
            ("2026-03-01", "2026-06-30"),
            ("2026-07-01", None),
        ]

    def test_a_last_day_that_was_stated_does_not_give_way(self):
        with pytest.raises(EntryOverlaps, match="2026-06-30 as its last day"):
            arrange([entry("1", last="2026-12-31")], wanted("2", "2026-07-01"), Way.FIT)


def put(db, said: Wanted, *, way=Way.REFUSE, partner_id=ACME, now=NOW) -> code_table_editing.Edited:
    return code_table_editing.put(db, "acme.grade", said, way=way, partner_id=partner_id, caller=AUTHOR, now=now)


def value_of(db, code: str, *, on=TODAY, known_at=None) -> str | None:
    return code_tables.resolve(db, ["acme.grade"], on=on, known_at=known_at)["acme.grade"].get(code)


@pytest.fixture
def db(database):
    with database.write() as db:
        code_table(db, ACME, table_document(entries={"G1": "10", "G2": "20"}), now=BEFORE)
        yield db


class TestPutting:
    def test_a_new_code_holds_at_once(self, db):
        edited = put(db, Wanted("G3", "30"))

        assert (edited.created, edited.changed) == (True, True)
        assert value_of(db, "G3") == "30"
        assert value_of(db, "G1") == "10"

    def test_what_was_is_known_still(self, db):
        put(db, wanted("11"))

        assert value_of(db, "G1") == "11"
        assert value_of(db, "G1", known_at=BEFORE) == "10"

    def test_the_same_again_writes_nothing(self, db):
        put(db, wanted("11", "2026-07-01"), way=Way.END)
        kept = db.execute(select(func.count()).select_from(code_table_entry)).scalar_one()

        again = put(db, wanted("11", "2026-07-01"), way=Way.END, now=LATER)

        assert (again.created, again.changed) == (False, False)
        assert db.execute(select(func.count()).select_from(code_table_entry)).scalar_one() == kept
        assert db.execute(select(func.count()).where(audit_event.c.action.like("%entry_set"))).scalar_one() == 1

    def test_the_trail_has_before_and_after(self, db):
        put(db, wanted("11", "2026-07-01"), way=Way.END)

        found = db.execute(select(audit_event).where(audit_event.c.action == "code_table.entry_set")).one()
        assert '"effective_to":null,"value":"10"' in found.before
        assert '"effective_to":"2026-06-30","value":"10"' in found.after
        assert found.partner_id == ACME

    def test_the_content_is_hashed_as_the_same_document_would_be(self, db):
        put(db, Wanted("G3", "30"))

        entries = {"G1": "10", "G2": "20", "G3": "30"}
        assert (
            code_tables.apply(db, table_document(entries=entries), partner_id=ACME, caller=AUTHOR, now=LATER) is False
        )

    @pytest.mark.parametrize("code", ["acme.grade", "acme.nothing"])
    def test_another_partners_table_is_not_there(self, db, code: str):
        with pytest.raises(NotFound):
            code_table_editing.put(db, code, wanted("1"), way=Way.END, partner_id=OTHER, caller=AUTHOR, now=NOW)

    def test_codes_are_told_apart_by_blanks(self, db):
        put(db, Wanted("G1 ", "11"))

        assert (value_of(db, "G1"), value_of(db, "G1 ")) == ("10", "11")

    def test_a_table_has_a_bound(self, db, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(code_table_content, "ENTRIES_MAX", 2)

        with pytest.raises(Unprocessable) as refused:
            put(db, Wanted("G3", "30"))

        assert refused.value.code == "too_many_entries"


class TestConcurrently:
    def test_who_comes_while_another_one_writes_waits_and_sees_what_was_written(self, mariadb_database):
        # SQLite has one writer at a time anyway.
        with mariadb_database.write() as db:
            code_table(db, ACME, table_document())

        with ThreadPoolExecutor(1) as pool:
            with mariadb_database.write() as db:
                put(db, Wanted("G1", "11"))
                second = pool.submit(mariadb_database.run, lambda db: put(db, Wanted("G1", "12"), now=LATER))
                with pytest.raises(TimeoutError):
                    second.result(timeout=0.5)
            edited = second.result(timeout=30)

        assert [each.value for each in edited.entries] == ["12"]
        with mariadb_database.read() as db:
            current = select(code_table_entry).where(code_table_entry.c.superseded_at.is_(None))
            entries = [code_table_content.of_row(row) for row in db.execute(current)]
            kept = db.execute(select(table_of_tables)).one()
        assert sorted((each.code, each.value) for each in entries) == [("G1", "12"), ("G2", "20")]
        assert kept.content_hash == code_table_content.content_hash("acme.grade", "tests", entries)

    def test_of_many_who_set_one_code_the_last_one_holds(self, database):
        with database.write() as db:
            code_table(db, ACME, table_document())

        def edit(number: int) -> None:
            database.run(lambda db: put(db, Wanted("G1", str(number))))

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(edit, range(12)))

        with database.read() as db:
            current = code_table_entry.c.superseded_at.is_(None)
            rows = db.execute(select(code_table_entry).where(current)).all()
            kept = db.execute(select(table_of_tables)).one()
        entries = [code_table_content.of_row(row) for row in rows]
        assert sorted(each.code for each in entries) == ["G1", "G2"]
        assert kept.content_hash == code_table_content.content_hash("acme.grade", "tests", entries)
