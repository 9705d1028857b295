"""A file loaded again in thought: which rows would end otherwise, and nothing left behind."""

from datetime import date

import pytest

from chalicelib.errors import Unprocessable
from chalicelib.files.reprocessing import differences
from chalicelib.files.reprocessing.differences import Compared, Rules
from tests.factories import rules
from tests.factories.files import CODE, Hub, hours, hours_layout, people, person
from tests.unit.files.intake.test_trying import dump
from tests.unit.files.mending.test_mending import fix, resubmit

ROWS = ["a,E1,2026-11-02,8", "b,E9,2026-11-02,4", "c,E2,2026-11-03,2", "a,E1,2026-11-02,8", "d,E1,2026-11-02,-"]


def compare(hub: Hub, by: Rules = "latest", name: str = "file.csv") -> Compared:
    file = hub.file(name)
    return hub.database.run(lambda db: differences.compare(db, file, hub.partner, by, now=hub.clock()))


def new_rule(hub: Hub, rate: str) -> None:
    """Another rate for everything."""
    with hub.database.write() as db:
        document = rules.accrual_document(f"{CODE}.accrual", rate=rate)
        rules.live_ruleset(db, hub.partner.id, document, effective_from=date(2026, 1, 1), now=hub.clock())


class TestDifference:
    def test_is_none_when_nothing_has_changed(self, hub: Hub):
        hub.process("hours", hours(*ROWS))
        before = dump(hub.database)

        for by in ("same", "latest"):
            found = compare(hub, by)  # type: ignore[arg-type]
            assert (found.rows, found.differing) == (5, 0)
            assert list(found.points_minor.values()) == [(1500, 1500)]
        assert dump(hub.database) == before

    def test_shows_what_a_newer_rule_pays(self, hub: Hub):
        hub.process("hours", hours(*ROWS))
        new_rule(hub, "2")
        before = dump(hub.database)

        latest, same = compare(hub, "latest"), compare(hub, "same")

        assert [(each.row_no, each.before.points_minor, each.after.points_minor) for each in latest.differences] == [
            (1, 1200, 1600),
            (3, 300, 400),
        ]
        assert list(latest.points_minor.values()) == [(1500, 2000)]
        assert same.differing == 0
        assert dump(hub.database) == before

    def test_shows_rows_that_would_be_accepted_and_refused(self, hub: Hub):
        hub.process("hours", hours(*ROWS))
        hub.process("people", people(person("E2", action="T", day="2026-11-01")), name="people.csv")
        with hub.database.write() as db:
            wide = hours_layout(ignore_when={"==": [{"var": "hours"}, "8"]})
            rules.live_ruleset(db, hub.partner.id, wide, now=hub.clock())

        found = compare(hub)

        told = {each.row_no: (each.before.outcome, each.after.outcome, each.after.code) for each in found.differences}
        assert told[1] == ("accepted", "ignored", "ignored_by_layout")
        assert told[5] == ("ignored", "rejected", "bad_decimal")
        assert found.newly_refused >= 1

    def test_takes_corrected_rows_as_corrected(self, hub: Hub):
        hub.process("hours", hours(*ROWS))
        fix(hub, 2, {"id": "E1", "hours": "6"})
        resubmit(hub)

        found = compare(hub)

        assert (found.differing, list(found.points_minor.values())) == (0, [(2400, 2400)])

    def test_leaves_rows_that_came_back_to_the_other_file(self, hub: Hub):
        hub.process("hours", hours(*ROWS))
        back = hub.read("hub-out", "acme/hours/rejects_file.csv").replace(b'"E9"', b'"E1"')
        hub.process("hours", back, name="back.csv")

        assert compare(hub).differing == 0
        assert compare(hub, name="back.csv").differing == 0

    def test_is_of_small_files_of_accruals(self, light_hub: Hub, monkeypatch: pytest.MonkeyPatch):
        light_hub.process("people", people(person("E8")), name="people.csv")
        with pytest.raises(Unprocessable, match="accruals"):
            compare(light_hub, name="people.csv")
        light_hub.process("hours", hours(*ROWS))
        monkeypatch.setattr(differences, "ROWS_MAX", 4)
        with pytest.raises(Unprocessable, match="5 rows"):
            compare(light_hub)
