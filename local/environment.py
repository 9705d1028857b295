"""The environment of the hub's processes on one machine: the same variables that a deployed hub reads."""

import shlex
from collections.abc import Mapping
from urllib.parse import urlsplit

from local.home import Home

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "AWS_DEFAULT_REGION": "us-east-1"}
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1", None})
_GATEWAY_CONNECTIONS = 16
# A killed handler's file goes on soon: nobody wants to wait for a quarter of an hour at a terminal.
_FILE_LEASE_S = 30
_SIDECAR_WAIT_S = 60


def of_hub(given: Mapping[str, str], home: Home, *, aws_url: str, url: str) -> dict[str, str]:
    """Every variable for gateway, workers and preparation; what the caller set for Interline stays as it is.

    Nothing of a developer's own AWS profile gets in: a local hub must not reach a real account by mistake.
    """
    kept = {name: value for name, value in given.items() if not name.startswith("AWS_")}
    database_url = given.get("INTERLINE_DATABASE_URL", f"sqlite:///{home.database}")
    defaults = {
        "INTERLINE_DATABASE_URL": database_url,
        "INTERLINE_DATABASE_POOL_MAX": str(_GATEWAY_CONNECTIONS),
        "INTERLINE_RULE_APPROVAL": rule_approval(given),
        "INTERLINE_FILE_LEASE_S": str(_FILE_LEASE_S),
        "INTERLINE_SIDECAR_WAIT_S": str(_SIDECAR_WAIT_S),
        "INTERLINE_PUBLIC_URL": url,
    }
    if urlsplit(database_url).hostname in _LOOPBACK:
        defaults["INTERLINE_DATABASE_TLS"] = "off"
    return (
        defaults
        | kept
        | CREDENTIALS
        | {
            "AWS_ENDPOINT_URL": aws_url,
            "AWS_REGION": CREDENTIALS["AWS_DEFAULT_REGION"],
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            "AWS_EC2_METADATA_DISABLED": "true",
            "INTERLINE_HOME": str(home.root),
            "NO_PROXY": "127.0.0.1,localhost",
            "PYTHONUNBUFFERED": "1",
        }
    )


def rule_approval(given: Mapping[str, str]) -> str:
    """Whether rules need approval on a local hub: only when the caller says so."""
    return given.get("INTERLINE_RULE_APPROVAL", "off")


def as_shell(variables: Mapping[str, str]) -> str:
    """The hub's own variables and those of AWS as lines that a shell reads with ``set -a``."""
    shown = {name: value for name, value in variables.items() if name.startswith(("AWS_", "INTERLINE_"))}
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in sorted(shown.items()))


def of_stand_in(given: Mapping[str, str], home: Home, port: int) -> dict[str, str]:
    """Every variable of the AWS stand-in: loopback only, objects on disk at once, the rest when it stops."""
    for directory in (home.aws / "objects", home.aws / "state", home.aws / "tmp"):
        directory.mkdir(parents=True, exist_ok=True)
    return {
        "PATH": given.get("PATH", ""),
        "HOME": str(home.aws),
        "TMPDIR": str(home.aws / "tmp"),
        "GATEWAY_PORT": str(port),
        "BIND_HOST": "127.0.0.1",
        "LOG_LEVEL": "WARNING",
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(home.aws / "objects"),
        "PERSIST_STATE": "1",
        "STATE_DIR": str(home.aws / "state"),
        "LAMBDA_EXECUTOR": "local",
        "PYTHONUNBUFFERED": "1",
        # It checks the signatures of URLs, which the hub makes with these.
        **CREDENTIALS,
    }
