"""Settings are typed, documented, and refuse what is wrong by name."""

from pathlib import Path

import pytest

from chalicelib.errors import InvalidInput
from chalicelib.settings import Settings, read_settings

README = Path(__file__).parents[3] / "README.md"


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_in_the_readme(name: str):
    assert f"`INTERLINE_{name.upper()}`" in README.read_text()


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_says_what_it_is_for(name: str):
    assert Settings.model_fields[name].description


class TestReadSettings:
    def test_takes_what_is_set_and_defaults_for_the_rest(self):
        read = read_settings({"INTERLINE_SLICE_ROWS": "7", "HOME": "/root"})
        assert read.slice_rows == 7
        assert read.rule_approval == "required"

    def test_names_the_variable_that_is_wrong(self):
        with pytest.raises(InvalidInput, match="INTERLINE_SLICE_ROWS"):
            read_settings({"INTERLINE_SLICE_ROWS": "many"})

    def test_refuses_a_variable_it_does_not_know(self):
        with pytest.raises(InvalidInput, match="INTERLINE_SLICEROWS"):
            read_settings({"INTERLINE_SLICEROWS": "7"})

    def test_approval_cannot_be_switched_off_on_lambda(self):
        with pytest.raises(InvalidInput, match="second person"):
            read_settings({"INTERLINE_RULE_APPROVAL": "off", "AWS_LAMBDA_FUNCTION_NAME": "interline"})
