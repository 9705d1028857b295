"""What admins edit under `rules/`, gathered into one bundle a partner, as the onboarding endpoint takes it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chalicelib.errors import Fault, InvalidInput
from cli.client import HubClient, segment

_FOLDERS = {"layouts": "layouts", "rulesets": "rulesets", "code_tables": "code-tables"}


@dataclass(frozen=True, slots=True)
class Bundle:
    """One partner's manifest with every document that it owns, and the shared ones."""

    partner: str
    document: dict[str, Any]


def gather(folder: Path) -> list[Bundle]:
    """A bundle for each `partners/<code>.json`, in order of the codes.

    Raises InvalidInput naming each file that is not JSON, or that belongs to a partner without a manifest.
    """
    faults: list[Fault] = []
    manifests = _documents(folder / "partners", faults)
    documents = {kind: _documents(folder / name, faults) for kind, name in _FOLDERS.items()}
    codes = {path.stem for path in manifests}
    for kind in documents.values():
        for path, document in kind.items():
            owner = document.get("partner")
            if owner is not None and owner not in codes:
                faults.append(Fault(str(path), "unknown_partner", f"There is no partners/{owner}.json."))
    if not manifests and not faults:
        faults.append(Fault(str(folder / "partners"), "no_manifest", "There is no partners/<code>.json."))
    if faults:
        raise InvalidInput(f"{folder} cannot be applied.", code="rules_unreadable", faults=faults)
    return [
        Bundle(
            path.stem,
            {"manifest": manifest}
            | {
                kind: [one for one in found.values() if one.get("partner") in {None, path.stem}]
                for kind, found in documents.items()
            },
        )
        for path, manifest in manifests.items()
    ]


def apply_all(client: HubClient, folder: Path, *, dry_run: bool) -> dict[str, Any]:
    """The plan (or what was done) for each partner, by code. Raises the first refusal; those before it stay applied."""
    return {bundle.partner: apply(client, bundle, dry_run=dry_run) for bundle in gather(folder)}


def apply(client: HubClient, bundle: Bundle, *, dry_run: bool) -> Any:  # noqa: ANN401 - a JSON document
    """Bring one partner to what its bundle says, or tell what that would change."""
    path = f"/v1/partners/{segment(bundle.partner)}/onboarding"
    return client.put(path, bundle.document, dry_run="true" if dry_run else None)


def _documents(folder: Path, faults: list[Fault]) -> dict[Path, dict[str, Any]]:
    found: dict[Path, dict[str, Any]] = {}
    for path in sorted(folder.glob("*.json")):
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            faults.append(Fault(str(path), "not_json", str(error)))
            continue
        if isinstance(document, dict):
            found[path] = document
        else:
            faults.append(Fault(str(path), "not_an_object", "The file must hold one JSON object."))
    return found
