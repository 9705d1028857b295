"""Names of columns in rejects are no formulas, and no cell is that hides one."""

import pytest

from chalicelib.files.formats.marking import harmless, restored
from tests.factories.files import hours_layout, make_hub, people_layout
from tests.unit.files.mending.test_returned_rejects import counts, mended


@pytest.mark.parametrize("text", ["\x01=1+1", "\x0b+1+1", "\x00@x", "\ufeff=1+1", "\u200b=1+1", "\ufeff\ufeff-a"])
def test_a_cell_that_hides_a_formula_is_made_harmless(text: str):
    assert harmless(text) == f"'{text}"
    assert restored(harmless(text)) == text


def test_a_name_that_is_a_formula_is_made_harmless_and_understood_again(database, aws):
    layout = hours_layout()
    layout["columns"]["hours"] = {"header": "+/- hours"}
    hub = make_hub(database, people_layout(), layout)
    hub.process("hours", "event,id,day,+/- hours,=1+1\ne1,E1,2026-13-02,8,x\n")
    back = mended(hub, ("2026-13-02", "2026-11-02"))
    assert back.splitlines()[0].startswith(b'"event","id","day","\'+/- hours","\'=1+1",')

    hub.process("hours", back.replace(b"2026-11-02", b"2026-13-03"), name="back.csv")
    again = mended(hub, ("2026-13-03", "2026-11-02"), name="back.csv")
    hub.process("hours", again, name="last.csv")

    assert again.splitlines()[0] == back.splitlines()[0]
    assert counts(hub, "last.csv") == (1, 0, 0, 0)
