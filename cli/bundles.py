"""What admins edit under `rules/`, gathered into one bundle a partner, as the onboarding endpoint takes it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from chalicelib.errors import Fault, InterlineError, InvalidInput
from chalicelib.language import RuleRefused, parse_json
from cli.client import HubClient, segment

_FOLDERS = {"layouts": "layouts", "rulesets": "rulesets", "code_tables": "code-tables"}


@dataclass(frozen=True, slots=True)
class Bundle:
    """One partner's manifest with every document that it owns, and the shared ones.

    ``text`` is JSON put together from the files' own texts: a number in a rule reaches the hub digit by digit.
    ``places`` has the file behind each part of it, by the part's JSON Pointer.
    """

    partner: str
    text: str
    places: Mapping[str, str]

    def located(self, error: InterlineError) -> InterlineError:
        """A refusal of this bundle with the files' names in place of positions: ``layouts/x.json#/fields``."""
        faults = [replace(fault, pointer=self._place(fault.pointer)) for fault in error.faults]
        return type(error)(error.message, code=error.code, faults=faults)

    def _place(self, pointer: str) -> str:
        for part, file in self.places.items():
            if pointer == part or pointer.startswith(f"{part}/"):
                return f"{file}#{pointer.removeprefix(part)}"
        return pointer


@dataclass(frozen=True, slots=True)
class _File:
    document: dict[str, Any]
    text: str

    def is_for(self, partner: str) -> bool:
        return self.document.get("partner") in {None, partner}


def gather(folder: Path) -> list[Bundle]:
    """A bundle for each `partners/<code>.json`, in order of the codes.

    Raises InvalidInput naming each file that is not JSON, or that belongs to a partner without a manifest.
    """
    faults: list[Fault] = []
    manifests = _documents(folder / "partners", faults)
    documents = {kind: _documents(folder / name, faults) for kind, name in _FOLDERS.items()}
    codes = {path.stem for path in manifests}
    for kind in documents.values():
        for path, file in kind.items():
            owner = file.document.get("partner")
            if owner is not None and owner not in codes:
                faults.append(Fault(str(path), "unknown_partner", f"There is no partners/{owner}.json."))
    if not manifests and not faults:
        faults.append(Fault(str(folder / "partners"), "no_manifest", "There is no partners/<code>.json."))
    if faults:
        raise InvalidInput(f"{folder} cannot be applied.", code="rules_unreadable", faults=faults)
    return [_bundle(folder, path, manifest, documents) for path, manifest in manifests.items()]


def _bundle(folder: Path, path: Path, manifest: _File, documents: Mapping[str, Mapping[Path, _File]]) -> Bundle:
    parts = [f'"manifest": {manifest.text}']
    places = {"/manifest": str(path.relative_to(folder))}
    for kind, found in documents.items():
        taken = {file: one.text for file, one in found.items() if one.is_for(path.stem)}
        parts.append(f'"{kind}": [{", ".join(taken.values())}]')
        places |= {f"/{kind}/{number}": str(file.relative_to(folder)) for number, file in enumerate(taken)}
    return Bundle(path.stem, f"{{{', '.join(parts)}}}", places)


def apply_all(client: HubClient, folder: Path, *, dry_run: bool) -> dict[str, Any]:
    """The plan (or what was done) for each partner, by code. Raises the first refusal; those before it stay applied."""
    return {bundle.partner: apply(client, bundle, dry_run=dry_run) for bundle in gather(folder)}


def apply(client: HubClient, bundle: Bundle, *, dry_run: bool) -> Any:  # noqa: ANN401 - a JSON document
    """Bring one partner to what its bundle says, or tell what that would change. A refusal names the files."""
    path = f"/v1/partners/{segment(bundle.partner)}/onboarding"
    try:
        return client.put(path, bundle.text, dry_run="true" if dry_run else None)
    except InterlineError as error:
        raise bundle.located(error) from error


def _documents(folder: Path, faults: list[Fault]) -> dict[Path, _File]:
    found: dict[Path, _File] = {}
    for path in sorted(folder.glob("*.json")):
        try:
            text = path.read_text(encoding="utf-8")
            document = parse_json(text)
        except UnicodeDecodeError as error:
            faults.append(Fault(str(path), "not_json", f"It is not UTF-8: byte {error.start}."))
            continue
        except RuleRefused as error:
            faults += [replace(one, pointer=f"{path}#{one.pointer}".removesuffix("#")) for one in error.faults]
            continue
        if isinstance(document, dict):
            found[path] = _File(document, text)
        else:
            faults.append(Fault(str(path), "not_an_object", "The file must hold one JSON object."))
    return found
