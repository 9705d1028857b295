"""A rejected row of a file, as a version would decide it if it came in now."""

from datetime import date
from decimal import Decimal

import pytest

from chalicelib.errors import NotFound, Unprocessable
from chalicelib.rules import rulesets
from chalicelib.workbench import simulating
from tests.factories.files import Hub, hours, hours_layout, make_hub
from tests.factories.partners import NOW
from tests.factories.rules import AUTHOR, accrual_document


@pytest.fixture
def hub(database, aws) -> Hub:
    return make_hub(database, hours_layout())


def tried(hub, code: str = "acme.accrual", **changes):
    with hub.database.write() as db:
        saved = rulesets.save(db, accrual_document(code, **changes), partner_id=hub.partner.id, caller=AUTHOR, now=NOW)
        return rulesets.version(db, saved.version_id)


def simulate(hub, file, row_no: int, *, as_of: date | None = None, **changes):
    version = tried(hub, **changes)
    with hub.database.read() as db:
        return simulating.refused_row(db, version, file, row_no, as_of=as_of, now=NOW)


class TestARejectedRow:
    def test_that_is_still_refused_says_why(self, hub):
        file = hub.process("hours", hours("e1,E9,2026-11-02,8"))

        found = simulate(hub, file, 1)

        assert (found.outcome, [fault.code for fault in found.faults]) == ("refused", ["unknown_member"])

    def test_that_a_draft_takes_is_decided_with_its_trace(self, hub):
        # The rule in force begins in January; the year before nothing decided.
        file = hub.process("hours", hours("e1,E1,2025-11-02,8", "e2,E1,2026-11-02,8"))

        refused = simulate(hub, file, 1)
        as_if = simulate(hub, file, 1, as_of=date(2026, 11, 3), rate="2")

        assert [fault.code for fault in refused.faults] == ["before_program"]
        assert (as_if.outcome, as_if.outputs) == ("decided", {"points": Decimal("16.00")})
        assert as_if.trace["as_of"] == "2026-11-03"

    def test_to_which_a_version_does_not_apply(self, hub):
        file = hub.process("hours", hours("e1,E1,2025-11-02,8"))

        found = simulate(hub, file, 1, as_of=date(2026, 11, 3), when={"==": [{"var": "status"}, "terminated"]})

        assert (found.outcome, found.outputs, found.trace["applies"]) == ("not_applicable", None, False)


class TestARowThatCannotBeTried:
    def test_because_it_was_accepted(self, hub):
        file = hub.process("hours", hours("e1,E1,2026-11-02,8"))
        with pytest.raises(NotFound):
            simulate(hub, file, 1)

    def test_because_its_layout_refuses_it(self, hub):
        file = hub.process("hours", hours("e1,E1,2.11.2026,8"))
        with pytest.raises(Unprocessable) as refused:
            simulate(hub, file, 1)

        assert refused.value.code == "row_unreadable"

    def test_because_another_ruleset_decides_its_program(self, hub):
        file = hub.process("hours", hours("e1,E1,2025-11-02,8"))
        other = tried(hub, code="acme.other")
        with hub.database.read() as db, pytest.raises(Unprocessable) as refused:
            simulating.refused_row(db, other, file, 1, as_of=date(2026, 11, 3), now=NOW)

        assert refused.value.code == "version_of_other_ruleset"
