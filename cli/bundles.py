"""What admins edit under `rules/`: gathered into one configuration, or into one bundle a partner, as the hub takes it.

JSON is put together from the files' own texts: a number in a rule reaches the hub digit by digit.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from chalicelib.errors import Fault, InterlineError, InvalidInput
from chalicelib.language import RuleRefused, parse_json
from cli.client import HubClient, segment

_MANIFESTS = "partners"
_DOCUMENTS = {"layouts": "layouts", "rulesets": "rulesets", "code_tables": "code-tables"}
_PIPELINES = "pipelines"
#: The parts of a folder of rule files.
FOLDERS = (_MANIFESTS, *_DOCUMENTS.values(), _PIPELINES)


@dataclass(frozen=True, slots=True)
class Bundle:
    """One partner's manifest with every document that it owns, and the shared ones.

    ``places`` has the file behind each part of ``text``, by the part's JSON Pointer.
    """

    partner: str
    text: str
    places: Mapping[str, str]

    def located(self, error: InterlineError) -> InterlineError:
        """A refusal of this bundle with the files' names in place of positions: ``layouts/x.json#/fields``."""
        return located(error, self.places)


@dataclass(frozen=True, slots=True)
class Configuration:
    """A whole folder as the hub's configuration endpoints take it; ``places`` as a bundle's."""

    text: str
    places: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class File:
    """One file of the folder: ``name`` in it, such as ``layouts/accruals.json``."""

    name: str
    document: dict[str, Any]
    text: str

    def is_for(self, partner: str) -> bool:
        """Whether the partner uses it: its own, or one that all use."""
        return self.document.get("partner") in {None, partner}


@dataclass(frozen=True, slots=True)
class Folder:
    """Everything that was read: manifests by partner, and the documents of each kind.

    ``pipelines`` are checked where they lie; they are no part of what a hub is given, so those that cannot be read
    (``pipeline_faults``) keep nobody from applying the rest.
    """

    manifests: Mapping[str, File]
    documents: Mapping[str, Sequence[File]]
    pipelines: Sequence[File] = ()
    pipeline_faults: Sequence[Fault] = ()

    def bundle(self, partner: str) -> Bundle:
        """What concerns one partner."""
        manifest = self.manifests[partner]
        parts = [f'"manifest": {manifest.text}']
        places = {"/manifest": manifest.name}
        for kind, found in self.documents.items():
            taken = [file for file in found if file.is_for(partner)]
            parts.append(f'"{kind}": [{", ".join(file.text for file in taken)}]')
            places |= {f"/{kind}/{number}": file.name for number, file in enumerate(taken)}
        return Bundle(partner, f"{{{', '.join(parts)}}}", places)

    def configuration(self) -> Configuration:
        """All of it at once."""
        parts: list[str] = []
        places: dict[str, str] = {}
        for kind, found in {"manifests": list(self.manifests.values()), **self.documents}.items():
            parts.append(f'"{kind}": [{", ".join(file.text for file in found)}]')
            places |= {f"/{kind}/{number}": file.name for number, file in enumerate(found)}
        return Configuration(f"{{{', '.join(parts)}}}", places)


def located(error: InterlineError, places: Mapping[str, str]) -> InterlineError:
    """A refusal with the files' names in place of positions."""
    faults = [replace(fault, pointer=_place(fault.pointer, places)) for fault in error.faults]
    return type(error)(error.message, code=error.code, faults=faults)


def _place(pointer: str, places: Mapping[str, str]) -> str:
    for part, file in places.items():
        if pointer == part or pointer.startswith(f"{part}/"):
            return f"{file}#{pointer.removeprefix(part)}"
    return pointer


def read(folder: Path) -> Folder:
    """Every file of a folder. Raises InvalidInput naming each that is not JSON, or belongs to nobody's manifest."""
    found, faults = readable(folder)
    if not found.manifests and not faults:
        faults.append(Fault("partners", "no_manifest", "There is no partners/<code>.json."))
    if faults:
        raise InvalidInput(f"{folder} cannot be applied.", code="rules_unreadable", faults=faults)
    return found


def readable(folder: Path) -> tuple[Folder, list[Fault]]:
    """Every file that can be read, and why the others cannot: a file that is not JSON, one that is nobody's."""
    faults: list[Fault] = []
    manifests = {Path(file.name).stem: file for file in _documents(folder, _MANIFESTS, faults)}
    documents = {kind: _documents(folder, name, faults) for kind, name in _DOCUMENTS.items()}
    faults += _strangers((one for found in documents.values() for one in found), manifests)
    of_pipelines: list[Fault] = []
    pipelines = _documents(folder, _PIPELINES, of_pipelines)
    of_pipelines += _strangers(pipelines, manifests)
    return Folder(manifests, documents, pipelines, of_pipelines), faults


def _strangers(files: Iterable[File], manifests: Mapping[str, File]) -> Iterator[Fault]:
    """Documents of partners that the folder does not have."""
    for file in files:
        owner = file.document.get("partner")
        if owner is not None and owner not in manifests:
            yield Fault(file.name, "unknown_partner", f"There is no partners/{owner}.json.")


def gather(folder: Path) -> list[Bundle]:
    """A bundle for each `partners/<code>.json`, in order of the codes. Raises as ``read`` does."""
    found = read(folder)
    return [found.bundle(partner) for partner in found.manifests]


def apply_all(client: HubClient, folder: Path) -> list[str]:
    """Apply the bundle of each partner; the rules that wait for approval. Raises the first refusal.

    What was applied before a refusal stays applied.
    """
    waiting: set[str] = set()
    for bundle in gather(folder):
        steps = apply(client, bundle)["steps"]
        waiting |= {step["code"] for step in steps if step["action"] == "awaits_approval"}
    return sorted(waiting)


def apply(client: HubClient, bundle: Bundle, *, dry_run: bool = False) -> Any:  # noqa: ANN401 - a JSON document
    """Bring one partner to what its bundle says; what was done, or would be. A refusal names the files."""
    try:
        return client.put(
            f"/v1/partners/{segment(bundle.partner)}/onboarding", bundle.text, dry_run="true" if dry_run else None
        )
    except InterlineError as error:
        raise bundle.located(error) from error


def _documents(folder: Path, name: str, faults: list[Fault]) -> list[File]:
    found: list[File] = []
    for path in sorted((folder / name).glob("*.json")):
        here = f"{name}/{path.name}"
        try:
            text = path.read_text(encoding="utf-8")
            document = parse_json(text)
        except UnicodeDecodeError as error:
            faults.append(Fault(here, "not_json", f"It is not UTF-8: byte {error.start}."))
            continue
        except RuleRefused as error:
            faults += [replace(one, pointer=f"{here}#{one.pointer}".removesuffix("#")) for one in error.faults]
            continue
        if isinstance(document, dict):
            found.append(File(here, document, text))
        else:
            faults.append(Fault(here, "not_an_object", "The file must hold one JSON object."))
    return found
