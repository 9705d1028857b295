import stat
import subprocess
from pathlib import Path

import pytest

from chalicelib.errors import Conflict
from local import environment
from local.home import Home


class TestHome:
    def test_is_readable_by_its_owner_only(self, home: Home):
        home.save_state({"a": 1})

        assert stat.S_IMODE(home.root.stat().st_mode) == 0o700
        assert [stat.S_IMODE(path.stat().st_mode) for path in home.root.iterdir()] == [0o600]

    def test_remembers_its_state(self, home: Home):
        assert home.state() == {}

        home.save_state({"url": "x", "ports": {"aws": 1}})

        assert home.state() == {"url": "x", "ports": {"aws": 1}}

    def test_starts_anew_from_a_state_that_cannot_be_read(self, home: Home):
        (home.root / "hub.json").write_text('{"url": ')

        assert home.state() == {}

    def test_belongs_to_one_hub_at_a_time(self, home: Home):
        held = home.lock()
        with pytest.raises(Conflict) as refused:
            home.lock()
        assert refused.value.code == "hub_running"

        held.close()

        home.lock().close()


class TestEnvironment:
    def of(self, home: Home, **given: str) -> dict[str, str]:
        return environment.of_hub(given, home, aws_url="http://127.0.0.1:4566", url="http://127.0.0.1:8000")

    def test_never_lets_a_developers_own_account_in(self, home: Home):
        found = self.of(home, AWS_PROFILE="production", AWS_SESSION_TOKEN="real", AWS_ACCESS_KEY_ID="real")

        assert "AWS_PROFILE" not in found
        assert "AWS_SESSION_TOKEN" not in found
        assert found["AWS_ACCESS_KEY_ID"] == "local"
        assert found["AWS_ENDPOINT_URL"] == "http://127.0.0.1:4566"

    def test_keeps_what_the_caller_set_for_interline(self, home: Home):
        found = self.of(
            home, INTERLINE_DATABASE_URL="mysql+pymysql://u@127.0.0.1/x", INTERLINE_RULE_APPROVAL="required"
        )

        assert found["INTERLINE_DATABASE_URL"] == "mysql+pymysql://u@127.0.0.1/x"
        assert found["INTERLINE_RULE_APPROVAL"] == "required"

    def test_drops_tls_for_this_machine_only(self, home: Home):
        assert self.of(home)["INTERLINE_DATABASE_TLS"] == "off"
        far = self.of(home, INTERLINE_DATABASE_URL="mysql+pymysql://u@db.example.com/x")
        assert "INTERLINE_DATABASE_TLS" not in far

    def test_can_be_given_to_a_shell(self, home: Home, tmp_path: Path):
        odd = "mysql+pymysql://u:it's $HOME@127.0.0.1/x"
        variables = self.of(home, INTERLINE_DATABASE_URL=odd, PATH="/opt/odd")
        (tmp_path / "hub.env").write_text(environment.as_shell(variables))

        said = subprocess.run(
            ["/bin/sh", "-c", "set -a; . ./hub.env; env"],
            cwd=tmp_path,
            env={},
            capture_output=True,
            check=True,
            text=True,
        ).stdout.splitlines()

        assert f"INTERLINE_DATABASE_URL={odd}" in said
        assert "AWS_ENDPOINT_URL=http://127.0.0.1:4566" in said
        assert "PATH=/opt/odd" not in said

    def test_the_stand_in_keeps_everything_below_the_home(self, home: Home):
        found = environment.of_stand_in({"PATH": "/bin"}, home, 4566)

        assert found["BIND_HOST"] == "127.0.0.1"
        for name in ("S3_DATA_DIR", "STATE_DIR", "TMPDIR"):
            assert Path(found[name]).is_relative_to(home.root)
            assert Path(found[name]).is_dir()
