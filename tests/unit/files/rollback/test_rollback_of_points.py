"""Balances brought over (I4) and adjustments (I5) are taken back with their file, and the file may come again."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from chalicelib.access.caller import Caller
from chalicelib.access.models import audit_event
from chalicelib.files.rollback import way
from chalicelib.partners.programs import programs
from chalicelib.points.corrections import adjustments
from chalicelib.points.corrections.adjustments import Decided
from chalicelib.points.ledger import trial_balance
from chalicelib.points.models.ledger import adjustment, annulment, transfer
from chalicelib.points.proof import checks
from chalicelib.storage.ids import public_id
from tests.factories import partners
from tests.factories.files import Hub
from tests.factories.rollbacks import ADMIN, available, left, roll_back, spend, standing_lots
from tests.factories.shared_layouts import agree, content

SECOND = Caller("usr_00000000000000000000000002", "test-second")
STORY = settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
Rows = list[tuple[date, int]]
days = st.dates(date(2026, 10, 1), date(2026, 11, 10))
gifts = st.lists(st.tuples(days, st.integers(1, 4000)), max_size=4)
moves = st.lists(st.tuples(days, st.integers(-3000, 4000).filter(bool)), min_size=1, max_size=6)
_numbers = count(1)


def points_of(amount_minor: int) -> str:
    return str(Decimal(amount_minor).scaleb(-2))


def balance(employee_id: str = "E1", points: str = "100", number: str = "1", day: str = "2026-10-31") -> dict[str, str]:
    return {
        "partner_code": "acme",
        "program_code": "uniform",
        "employee_id": employee_id,
        "balance_points": points,
        "as_of": day,
        "legacy_ref": f"LEG-{number}",
    }


def moved(
    number: str = "1", points: str = "10", employee_id: str = "E1", day: str = "2026-11-10", **values: str
) -> dict[str, str]:
    given = {
        "adjustment_id": f"ADJ-{number}",
        "partner_code": "acme",
        "program_code": "uniform",
        "employee_id": employee_id,
        "points": points,
        "reason_code": "goodwill",
        "effective_date": day,
        "requested_by": "fin-42",
    }
    return given | values


@pytest.fixture
def books(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> Hub:
    """Acme, which has agreed to both layouts; two records a slice."""
    monkeypatch.setattr(way, "ROWS_MAX", 2)
    with hub.database.write() as db:
        agree(db, hub.partner.id, "opening_balances", "adjustments")
    correcting(hub, "refuse")
    return hub


def correcting(hub: Hub, reversal: str) -> None:
    """Let acme's program take back spent points so; above 1,000 points an adjustment wants a second person."""
    assert hub.program is not None
    wanted = {"reversal": reversal, "second_person_above": "1000"}
    with hub.database.write() as db:
        changed = replace(programs.spec_of(hub.program), corrections=wanted)
        hub.program = programs.change(db, hub.program, changed, caller=ADMIN, now=hub.clock())


def sound(hub: Hub) -> None:
    with hub.database.read() as db:
        assert checks.check(db) == []
        assert all(each.difference_minor == 0 for each in trial_balance.of(db, partner_id=hub.partner.id))


def states(hub: Hub) -> list[tuple[str, bool]]:
    """Each adjustment's state, and whether it still holds its id."""
    with hub.database.read() as db:
        found = db.execute(select(adjustment.c.state, adjustment.c.generation).order_by(adjustment.c.seq))
        return [(row.state, row.generation == 0) for row in found]


class TestBalancesBroughtOver:
    FILE = content("opening_balances", balance(), balance("E2", "20", "2"), balance("E3", "1.5", "3"))

    def test_are_taken_back_out_of_their_own_lots(self, books: Hub):
        books.process("opening_balances", self.FILE)

        run = roll_back(books)

        assert (run.undone, run.left_over, books.file().state) == (3, 0, "rolled_back")
        [sums] = run.sums.values()
        assert (sums.records, sums.points_minor, sums.recovered_minor) == (3, 12150, 12150)
        assert [available(books, each) for each in ("E1", "E2", "E3")] == [0, 0, 0]
        with books.database.read() as db:
            kinds = list(db.execute(select(transfer.c.kind).order_by(transfer.c.seq)).scalars())
        assert kinds == ["opening"] * 3 + ["opening_annulled"] * 3
        sound(books)

    def test_may_come_again_with_other_content_and_once(self, books: Hub):
        books.process("opening_balances", self.FILE)
        roll_back(books)
        mended = content("opening_balances", balance(points="90"), balance("E2", "20", "2"))

        again = books.process("opening_balances", mended, name="again.csv")
        turned = content("opening_balances", balance("E2", "20", "2"), balance(points="90"))
        resent = books.process("opening_balances", turned, name="resent.csv")

        assert (again.rows_accepted, resent.rows_accepted, resent.rows_duplicate) == (2, 0, 2)
        assert [available(books, each) for each in ("E1", "E2", "E3")] == [9000, 2000, 0]
        sound(books)

    def test_that_are_spent_stay_where_the_program_refuses_and_go_later(self, books: Hub):
        books.process("opening_balances", self.FILE)
        spend(books, "E1", 4000)

        run = roll_back(books)

        assert run.undone == 2
        assert [(each.kind, each.row_no, each.code, each.amount_minor) for each in left(books, run)] == [
            ("opening", 1, "points_spent", 10000)
        ]
        assert books.process("opening_balances", self.FILE, name="again.csv").rows_duplicate == 1
        correcting(books, "overdraft")
        later = roll_back(books)
        assert (later.run_no, later.undone) == (2, 1)
        assert available(books, "E1") == -4000
        sound(books)

    @pytest.mark.parametrize(
        ("policy", "code", "owed"), [("overdraft", "points_overdrawn", 40), ("partial", "points_given_up", 0)]
    )
    def test_that_are_spent_are_owed_or_given_up_and_told(self, books: Hub, policy: str, code: str, owed: int):
        correcting(books, policy)
        books.process("opening_balances", self.FILE)
        spend(books, "E1", 4000)

        run = roll_back(books)

        assert [(each.kind, each.code, each.amount_minor) for each in left(books, run)] == [("opening", code, 4000)]
        sound(books)
        books.process("opening_balances", self.FILE, name="again.csv")
        assert available(books, "E1") == 10000 - 100 * owed
        sound(books)


class TestAdjustments:
    def test_are_taken_back_the_latest_first(self, books: Hub):
        books.process("adjustments", content("adjustments", moved(points="40"), moved("2", "-25"), moved("3", "5")))
        assert available(books, "E1") == 2000

        run = roll_back(books)

        assert (run.undone, run.left_over) == (3, 0)
        [sums] = run.sums.values()
        assert (sums.points_minor, sums.recovered_minor, sums.refused_minor) == (2000, 2000, 0)
        assert (available(books, "E1"), standing_lots(books, "E1")) == (0, [])
        assert states(books) == [("posted", False)] * 3
        sound(books)

    def test_that_took_give_back_to_the_lots_they_came_from(self, books: Hub):
        books.process("opening_balances", content("opening_balances", balance()), name="old.csv")
        before = standing_lots(books, "E1")
        books.process("adjustments", content("adjustments", moved(points="-30")))

        roll_back(books)

        assert standing_lots(books, "E1") == before
        sound(books)

    def test_that_wait_for_a_second_person_are_withdrawn(self, books: Hub):
        books.process("adjustments", content("adjustments", moved(points="5000000")))
        assert states(books) == [("pending", True)]

        run = roll_back(books)

        assert (run.undone, run.left_over, states(books)) == (1, 0, [("withdrawn", False)])
        with books.database.write() as db:
            [waited] = db.execute(select(adjustment.c.id)).scalars()
            assert books.program is not None
            with pytest.raises(Decided):
                adjustments.decide(
                    db, books.program, waited, approve=True, comment=None, caller=SECOND, now=books.clock()
                )
        books.process("adjustments", content("adjustments", moved(points="5000000")), name="again.csv")
        assert states(books) == [("withdrawn", False), ("pending", True)]
        sound(books)

    @pytest.mark.parametrize("approve", [True, False])
    def test_that_a_second_person_decided_are_taken_back_and_the_trail_says_so(self, books: Hub, *, approve: bool):
        books.process("adjustments", content("adjustments", moved(points="5000000")))
        with books.database.write() as db:
            [waiting] = db.execute(select(adjustment.c.id)).scalars()
            assert books.program is not None
            adjustments.decide(
                db, books.program, waiting, approve=approve, comment=None, caller=SECOND, now=books.clock()
            )

        run = roll_back(books)

        state = "posted" if approve else "rejected"
        assert (run.undone, available(books, "E1"), states(books)) == (1, 0, [(state, False)])
        with books.database.read() as db:
            trail = select(audit_event).where(audit_event.c.action == "adjustment.annulled")
            [told] = db.execute(trail).all()
        assert (told.subject, told.actor, told.reason) == (public_id("adj", waiting), ADMIN.actor, "the wrong month")
        assert SECOND.actor in told.before
        sound(books)

    def test_of_rows_that_came_back_go_with_the_file_of_the_first_try(self, books: Hub):
        file = books.process("adjustments", content("adjustments", moved(), moved("2", reason_code="because")))
        token = f"{file.public_id}.2"
        header, row = content("adjustments", moved("2", "7")).splitlines()[:2]
        mended = f"{header},resubmit_token\n{row},{token}\n#TRAILER,1,7\n"
        back = books.process("adjustments", mended, name="back.csv")
        assert (back.rows_accepted, available(books, "E1")) == (1, 1700)

        run = roll_back(books)

        assert (run.undone, available(books, "E1")) == (2, 0)
        sound(books)


class TestTakenBackOnce:
    def test_asked_again_nothing_more_happens(self, books: Hub):
        books.process("adjustments", content("adjustments", moved(points="40")))
        first = roll_back(books)

        again = roll_back(books)

        assert again.id == first.id
        with books.database.read() as db:
            assert len(db.execute(select(annulment.c.id)).all()) == 1

    def test_foreseen_is_what_comes_and_nothing_is_changed(self, books: Hub):
        books.process("adjustments", content("adjustments", moved(points="40"), moved("2", "9", "E2")))
        spend(books, "E1", 100)
        file = books.file()
        with books.database.write() as db:
            foreseen, stays = way.foresee(db, file.id, reason="a try", caller=ADMIN, now=books.clock(), listed=10)
        assert states(books) == [("posted", True)] * 2

        run = roll_back(books)

        assert (foreseen.undone, foreseen.left_over, foreseen.points) == (run.undone, run.left_over, run.points)
        assert [each.code for each in stays] == ["points_spent"]


class TestRollbackThenReload:
    @STORY
    @given(before=gifts, rows=moves, after=gifts)
    @pytest.mark.parametrize("layout", ["opening_balances", "adjustments"])
    def test_equals_a_clean_load(self, books: Hub, layout: str, before: Rows, rows: Rows, after: Rows):
        number = next(_numbers)
        twice, once = f"A{number}", f"B{number}"
        with books.database.write() as db:
            for name in (twice, once):
                partners.make_member(db, books.partner, name)

        def load(employee_id: str, kind: str, story: Rows, name: str, version: str = "") -> int:
            lines = [
                balance(employee_id, points_of(abs(amount)), f"{employee_id}{name}{at}", str(day))
                if kind == "opening_balances"
                else moved(f"{employee_id}{name}{at}", points_of(amount), employee_id, str(day))
                for at, (day, amount) in enumerate(story)
            ]
            if not lines:
                return 0
            return books.process(kind, content(kind, *lines), name=f"{employee_id}{name}{version}.csv").rows_accepted

        for employee_id in (twice, once):
            load(employee_id, "adjustments", before, "before")
        accepted = load(twice, layout, rows, "wrong")
        run = roll_back(books, f"{twice}wrong.csv")
        assert (run.undone, run.left_over) == (accepted, 0)
        assert standing_lots(books, twice) == standing_lots(books, once)

        assert load(twice, layout, rows, "wrong", "again") == accepted
        load(once, layout, rows, "wrong")
        assert standing_lots(books, twice) == standing_lots(books, once)
        for employee_id in (twice, once):
            load(employee_id, "adjustments", after, "after")
        assert standing_lots(books, twice) == standing_lots(books, once)
        sound(books)
