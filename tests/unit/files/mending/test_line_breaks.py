"""A correction with a carriage return leaves a row that can be read."""

import pytest

from tests.factories.files import Hub
from tests.factories.rollbacks import available
from tests.unit.files.mending.test_mending import fix, resubmit


@pytest.mark.parametrize("note", ["a\rb", "a\nb", "a\r\nb", "\r", 'a"\rb'])
def test_a_correction_with_a_line_break_is_read_as_it_was_given(hub: Hub, note: str):
    hub.process("hours", "event,id,day,hours,note\ne1,E1,2026-13-02,8,a\n")

    assert fix(hub, 1, {"note": note, "day": "2026-11-02"}).still is None
    assert fix(hub, 1, {"note": f"{note}."}).fix.cells == {"note": (note, f"{note}.")}

    resubmit(hub)
    assert available(hub, "E1") == 1200
