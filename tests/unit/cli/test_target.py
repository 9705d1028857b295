"""Which hub a command talks to, and what it says when that is none."""

from pathlib import Path

import pytest

from chalicelib.errors import NotFound
from cli.reporting import NotUsable
from cli.target import chosen


@pytest.fixture(autouse=True)
def no_hub_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTERLINE_HOME", str(tmp_path))
    monkeypatch.delenv("HUB_URL", raising=False)
    monkeypatch.delenv("HUB_KEY", raising=False)


class TestChosen:
    def test_says_how_to_name_a_hub_when_there_is_none(self):
        with pytest.raises(NotFound, match=r"set HUB_URL, or start one with `\./hub up`"):
            chosen()

    @pytest.mark.parametrize("url", ["127.0.0.1:8000", "http://", "http://[::1", "http://hub:eighty", "file:///etc/x"])
    def test_refuses_what_is_no_address_and_shows_one(self, monkeypatch: pytest.MonkeyPatch, url: str):
        monkeypatch.setenv("HUB_URL", url)

        with pytest.raises(NotUsable, match=r"HUB_URL is .+, which is no address of a hub, such as http://127"):
            chosen()

    @pytest.mark.parametrize("key", ["ilk_ä", "ilk_a\nilk_b"])
    def test_refuses_what_is_no_key_without_repeating_it(self, monkeypatch: pytest.MonkeyPatch, key: str):
        monkeypatch.setenv("HUB_URL", "http://127.0.0.1:8000")
        monkeypatch.setenv("HUB_KEY", key)

        with pytest.raises(NotUsable) as refused:
            chosen()

        assert "HUB_KEY is no key" in refused.value.message
        assert "ilk_a" not in refused.value.message

    def test_takes_a_key_that_was_read_with_its_line_end(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("HUB_URL", "http://127.0.0.1:8000")
        monkeypatch.setenv("HUB_KEY", "ilk_a_b\n")

        assert chosen().key == "ilk_a_b"
