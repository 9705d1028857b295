"""Plans on disk: what was planned, for which hub, with the documents themselves, so that a plan is applied as it is."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chalicelib.errors import InvalidInput
from chalicelib.language import RuleRefused, parse_json
from chalicelib.rules import canonical
from cli.bundles import Configuration
from cli.reporting import NotUsable

_FORMAT = "interline-plan/1"


@dataclass(frozen=True, slots=True)
class SavedPlan:
    """A plan, the hub that it is of, and the configuration that it applies."""

    hub: str
    plan: Mapping[str, Any]
    configuration: Configuration


def write(path: Path, hub: str, plan: Mapping[str, Any], configuration: Configuration) -> None:
    """Save a plan. Raises InvalidInput when the file cannot be written."""
    head = {"format": _FORMAT, "hub": hub, "plan": plan, "places": configuration.places}
    text = f'{json.dumps(head, ensure_ascii=False)[:-1]}, "documents": {configuration.text}}}\n'
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InvalidInput(f"{path} cannot be written: {error.strerror}.", code="plan_unwritable") from error


def read(path: Path) -> SavedPlan:
    """A saved plan. Raises NotUsable for any other file."""
    try:
        found = parse_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, RuleRefused) as error:
        raise _no_plan(path) from error
    if not isinstance(found, dict) or found.get("format") != _FORMAT:
        raise _no_plan(path)
    hub, plan, places, documents = (found.get(name) for name in ("hub", "plan", "places", "documents"))
    if not (isinstance(hub, str) and isinstance(plan, dict) and isinstance(plan.get("plan_hash"), str)):
        raise _no_plan(path)
    if not (isinstance(places, dict) and isinstance(documents, dict)):
        raise _no_plan(path)
    return SavedPlan(hub, plan, Configuration(canonical.text(documents), places))


def _no_plan(path: Path) -> NotUsable:
    return NotUsable(f"{path} is not a plan: `hub rules plan --out {path.name}` writes one.", code="not_a_plan")
