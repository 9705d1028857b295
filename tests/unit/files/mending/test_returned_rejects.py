"""The file of rejects comes back, mended, under any name: each row takes over the row that its token names, once."""

import pytest
from sqlalchemy import func, select

from chalicelib.files.answers import receipts
from chalicelib.files.mending import fixing
from chalicelib.files.rows import conserving
from chalicelib.partners.members import members
from chalicelib.points.models.ledger import accrual_event
from tests.factories import rules
from tests.factories.files import Hub, hours, hours_layout, make_hub, people, people_layout, person

GOOD = "a,E1,2026-11-02,8"
DIRTY = hours(GOOD, "b,E9,2026-11-02,8", "c,E2,2026-11-31,7.5", "d,E3,2026-11-02,x", trailer="#TRAILER,4,23.5")


def rejects_of(hub: Hub, name: str = "file.csv") -> bytes:
    """The rejects of a file as its sender fetches them."""
    return hub.read("hub-out", receipts.rejects_key_of(hub.file(name)))


def mended(hub: Hub, *changes: tuple[str, str], name: str = "file.csv") -> bytes:
    """The same, with corrections."""
    text = rejects_of(hub, name).decode()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return text.encode()


def counts(hub: Hub, name: str = "file.csv") -> tuple[int, int, int, int]:
    """Accepted, rejected, duplicate and ignored rows."""
    file = hub.file(name)
    return file.rows_accepted, file.rows_rejected, file.rows_duplicate, file.rows_ignored


def events(hub: Hub) -> int:
    with hub.database.read() as db:
        return db.execute(select(func.count()).select_from(accrual_event)).scalar() or 0


def assert_conserved(hub: Hub) -> None:
    with hub.database.read() as db:
        assert {file.name: conserving.breaks(db, file) for file in hub.files()} == {
            file.name: [] for file in hub.files()
        }


class TestComingBack:
    def test_takes_over_exactly_the_rows_that_it_names(self, hub: Hub):
        hub.process("hours", DIRTY)
        back = mended(hub, ('"E9"', '"E1"'), ("2026-11-31", "2026-11-01"))

        file = hub.process("hours", back, name="whatever it is called.csv")

        assert file.state == "processed"
        assert counts(hub, file.name) == (2, 1, 0, 0)
        assert counts(hub) == (1, 0, 3, 0)
        assert events(hub) == 3
        assert_conserved(hub)
        receipt = hub.receipt()
        assert (receipt["revision"], receipt["rows_rejected"], receipt["rows_duplicate"]) == (2, 0, 3)
        assert hub.receipt(file.name)["warnings"] == []

    def test_is_kept_with_what_was_there_before(self, hub: Hub):
        hub.process("hours", DIRTY)
        file = hub.process("hours", mended(hub, ("2026-11-31", "2026-11-01")), name="back.csv")

        with hub.database.read() as db:
            [one] = fixing.history(db, hub.file(), 3)
        assert (one.source, one.source_file_id, one.source_row_no) == ("file", file.id, 2)
        assert one.cells == {"day": ("2026-11-31", "2026-11-01")}

    def test_twice_has_one_effect_whatever_was_changed_between(self, hub: Hub):
        hub.process("hours", DIRTY)
        hub.process("hours", mended(hub, ('"E9"', '"E1"')), name="once.csv")
        # The first one is done by now; even another event id does not bring its hours in again.
        stale = b"event,id,day,hours,resubmit_token\nother,E1,2026-11-02,8,%s.2\n" % hub.file().public_id.encode()

        hub.process("hours", stale, name="twice.csv")

        assert counts(hub, "twice.csv") == (0, 0, 1, 0)
        assert [row.code for row in hub.rows("twice.csv")] == ["settled_already"]
        assert events(hub) == 2
        assert_conserved(hub)

    def test_after_the_row_was_accepted_by_another_way_has_no_effect(self, hub: Hub):
        hub.process("hours", DIRTY)
        back = mended(hub, ('"b","E9"', '"other","E1"'))
        hub.process("people", people(person("E9")), name="people.csv")
        assert counts(hub)[0] == 2

        hub.process("hours", back, name="back.csv")

        assert counts(hub, "back.csv") == (0, 2, 1, 0)
        assert events(hub) == 2

    def test_a_row_that_comes_twice_in_one_file_counts_once(self, hub: Hub):
        hub.process("hours", DIRTY)
        token = f"{hub.file().public_id}.2"
        rows = [f"b{number},E1,2026-11-02,8,{token}" for number in (1, 2)]

        hub.process("hours", "\n".join(["event,id,day,hours,resubmit_token", *rows]), name="back.csv")

        assert counts(hub, "back.csv") == (1, 0, 1, 0)

    def test_rejected_again_it_comes_back_from_there(self, hub: Hub):
        hub.process("hours", DIRTY)
        hub.process("hours", mended(hub, ("2026-11-31", "2026-11-32")), name="second.csv")
        assert counts(hub, "second.csv") == (0, 3, 0, 0)

        back = mended(hub, ("2026-11-32", "2026-11-01"), name="second.csv")
        hub.process("hours", back, name="third.csv")

        assert back.splitlines()[0].count(b"resubmit_token") == 1
        assert counts(hub, "third.csv") == (1, 2, 0, 0)
        assert counts(hub, "second.csv") == (0, 0, 3, 0)
        assert_conserved(hub)

    def test_a_row_is_open_in_one_place_only(self, hub: Hub):
        hub.process("hours", DIRTY)
        hub.process("hours", mended(hub, ("2026-11-31", "2026-11-32")), name="second.csv")

        hub.process("people", people(person("E9")), name="people.csv")

        assert counts(hub) == (1, 0, 3, 0)
        assert counts(hub, "second.csv") == (1, 2, 0, 0)
        assert events(hub) == 2

    def test_needs_no_trailer_where_the_layout_wants_one(self, hub: Hub):
        control = {"kind": "trailer", "required": True, "column": "hours"}
        strict = make_strict(hub, hours_layout(control=control))
        strict.process("hours", DIRTY)

        file = strict.process("hours", mended(strict, ("2026-11-31", "2026-11-01")), name="back.csv")

        assert (file.state, file.rows_accepted) == ("processed", 1)

    def test_needs_no_sidecar_where_the_layout_wants_one(self, hub: Hub):
        control = {"kind": "sidecar", "required": True, "column": "hours"}
        strict = make_strict(hub, hours_layout(control=control))
        strict.drop("hours", '{"rows": 1, "sum": "8"}', name="file.ctl")
        strict.process("hours", hours("b,E9,2026-11-02,8"))

        file = strict.process("hours", mended(strict, ('"E9"', '"E1"')), name="back.csv")

        assert (file.state, file.rows_accepted) == ("processed", 1)

    def test_cells_that_were_made_harmless_are_as_they_were(self, hub: Hub):
        hub.process("hours", hours('"=1+1",E9,2026-11-02,8'))
        assert b'"\'=1+1"' in rejects_of(hub)

        hub.process("hours", mended(hub, ('"E9"', '"E1"')), name="back.csv")

        with hub.database.read() as db:
            assert db.execute(select(accrual_event.c.event_id)).scalars().all() == ["=1+1"]

    def test_hidden_cells_are_not_taken_for_values(self, hub: Hub):
        hub.process("people", people(person("E9", hired="x")))
        token = f"{hub.file().public_id}.1"
        text = f"{people().strip()},resubmit_token\nE9,A,***,***,2026-01-01,CREW,US,2026-11-01,{token}\n"

        hub.process("people", text, name="back.csv")

        assert counts(hub, "back.csv") == (0, 0, 0, 1)
        assert counts(hub) == (0, 1, 0, 0)


class TestTokens:
    @pytest.mark.parametrize("token", ["", "nonsense", "fil_01m80ezmgbefm8btvg41ypyz86.1", "{file}.1", "{file}.99"])
    def test_that_name_no_rejected_row_change_nothing_elsewhere(self, light_hub: Hub, token: str):
        light_hub.process("hours", DIRTY)
        told = token.format(file=light_hub.file().public_id)

        text = f"event,id,day,hours,resubmit_token\nnew,E1,2026-11-03,8,{told}\n"
        light_hub.process("hours", text, name="back.csv")

        expected = (0, 0, 1, 0) if token.endswith("}.1") else (1, 0, 0, 0)
        assert counts(light_hub, "back.csv") == expected
        assert counts(light_hub) == (1, 3, 0, 0)

    def test_of_another_layout_or_partner_mean_nothing(self, hub: Hub):
        hub.process("people", people(person("E9", hired="x")), name="people.csv")
        token = f"{hub.file('people.csv').public_id}.1"

        hub.process("hours", f"event,id,day,hours,resubmit_token\nnew,E1,2026-11-03,8,{token}\n", name="back.csv")

        assert counts(hub, "back.csv") == (1, 0, 0, 0)
        assert counts(hub, "people.csv") == (0, 1, 0, 0)


@pytest.mark.usefixtures("aws")
class TestSnapshots:
    def test_rejects_of_a_snapshot_are_no_snapshot(self, database):
        layout = people_layout(mode="snapshot", terminate_share_max="0.9")
        hub = make_hub(database, layout, members=["E1", "E2", "E3"])
        everybody = [person("E1"), person("E2"), person("E3"), person("E5", hired="soon")]
        hub.process("people", people(*everybody))

        file = hub.process("people", mended(hub, ('"soon"', '"2026-01-01"')), name="back.csv")

        assert (file.state, file.rows_accepted, file.rows_absent) == ("processed", 1, 0)
        assert hub.receipt("back.csv", "people")["warnings"] == []
        with hub.database.read() as db:
            assert members.active_employee_ids(db, hub.partner.id) == {"E1", "E2", "E3", "E5"}


def make_strict(hub: Hub, layout: dict) -> Hub:
    """The hub with another version of the hours layout."""
    with hub.database.write() as db:
        rules.live_ruleset(db, hub.partner.id, layout)
    return hub
