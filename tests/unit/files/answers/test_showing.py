"""What people see of rows: without the scope for personal values, only columns that are declared and not personal."""

import pytest

from chalicelib.files.answers import showing
from chalicelib.files.answers.showing import Cells
from tests.factories.files import HOURS_HEADER, Hub, hours, people, person

SECRET = "Dolores Haze"


def cells(hub: Hub, *, personal: bool) -> Cells:
    with hub.database.read() as db:
        layout = showing.layout_of(db, hub.file())
    assert layout is not None
    return Cells(layout, hub.file(), personal=personal)


def shown(hub: Hub, *, personal: bool) -> list[str]:
    [row] = hub.rows()
    return cells(hub, personal=personal).of(row)


class TestCells:
    def test_of_personal_columns_are_masked(self, light_hub: Hub):
        light_hub.process("people", people(person("E9", hired="yesterday")))

        assert shown(light_hub, personal=False) == ["E9", "A", "***", "***", "yesterday", "CREW", "US", "2026-11-01"]
        assert "Haze" in shown(light_hub, personal=True)

    def test_of_columns_that_no_layout_declares_are_masked(self, light_hub: Hub):
        light_hub.process("hours", f"{HOURS_HEADER},full name,\nb,E9,2026-11-02,8,{SECRET},{SECRET}\n")

        assert shown(light_hub, personal=False) == ["b", "E9", "2026-11-02", "8", "***", "***"]
        assert shown(light_hub, personal=True)[4:] == [SECRET, SECRET]

    @pytest.mark.parametrize("row", [f"b,E1,2026-11-02,8,{SECRET}", f'b,{SECRET} "x,2026-11-02,"8"8', f"b,{SECRET}"])
    def test_of_rows_whose_form_is_wrong_are_masked(self, light_hub: Hub, row: str):
        light_hub.process("hours", hours(row))

        assert shown(light_hub, personal=False) == ["***"] * 4
        assert SECRET in ",".join(shown(light_hub, personal=True))


class TestRawText:
    def test_is_shown_when_every_column_is_declared_and_none_personal(self, light_hub: Hub):
        light_hub.process("hours", hours("b,E9,2026-11-02,8"))

        assert cells(light_hub, personal=False).text(b"b,E9,2026-11-02,8\r\n") == "b,E9,2026-11-02,8"

    @pytest.mark.parametrize("layout", ["people", "hours"])
    def test_is_shown_to_the_scope_alone_when_a_column_is_personal_or_not_declared(self, light_hub: Hub, layout: str):
        content = people(person("E9")) if layout == "people" else f"{HOURS_HEADER},full name\nb,E9,2026-11-02,8,x\n"
        light_hub.process(layout, content)

        assert cells(light_hub, personal=False).text(b"raw") is None
        assert cells(light_hub, personal=True).text(b"raw") == "raw"
