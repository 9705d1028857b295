"""What a command is about: a rule file here, or a version of a ruleset in the hub."""

from pathlib import Path
from typing import Any

import typer

from chalicelib.errors import NotFound
from cli.client import HubClient, segment


def file(what: str, *, version: int | None = None) -> Path | None:
    """The path, when ``what`` names a file; None for a ruleset's code. Raises NotFound and BadParameter."""
    if not what.endswith(".json"):
        return None
    path = Path(what)
    if not path.is_file():
        raise NotFound(f"There is no file {what}.", code="no_file")
    if version is not None:
        raise typer.BadParameter("a file has no versions; name the ruleset by its code.", param_hint="--version")
    return path


def latest(client: HubClient, code: str) -> int:
    """The number of a ruleset's latest version. Raises NotFound."""
    return int(history(client, code)["latest_version"])


def live(client: HubClient, code: str) -> int:
    """The number of the version that decides today, or else of the latest one. Raises NotFound."""
    found = history(client, code)
    return int((found["live"] or {"version": found["latest_version"]})["version"])


def history(client: HubClient, code: str) -> Any:  # noqa: ANN401 - a JSON document
    """A ruleset with its versions and activations. Raises NotFound."""
    return client.get(f"/v1/rulesets/{segment(code)}")
