"""`hub rules check`: every rule file of a folder, checked here; with a hub, also against what the hub has."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from chalicelib.errors import Fault, InterlineError
from chalicelib.language import RuleRefused
from chalicelib.language.faults import Report
from cli import bundles
from cli.bundles import File, Folder
from cli.reporting import REFUSED, AsJson, reporting
from cli.target import chosen
from local.home import REPOSITORY

if TYPE_CHECKING:
    from cli.rules.files import RuleFile

_HERE = "here"
_HUB = "hub"


@dataclass(frozen=True, slots=True)
class _Checked:
    """What was found in a folder. ``elsewhere``: references to what is not in it, and may be in a hub.

    ``unsettled``: those of them that no hub is asked for, because pipelines are not planned.
    """

    rules: "Sequence[RuleFile]"
    files: int
    errors: Sequence[Fault]
    warnings: Sequence[Fault]
    elsewhere: Sequence[Fault]
    unsettled: Sequence[Fault]


def check(
    *,
    folder: Annotated[
        Path, typer.Argument(exists=True, file_okay=False, help="The folder with partners/, layouts/, rulesets/, …")
    ] = REPOSITORY / "rules",
    hub: Annotated[bool, typer.Option("--hub", help="Let the hub check as well; nothing is changed there.")] = False,
    as_json: AsJson = False,
) -> None:
    """Check every rule file: form, types, lints, cases, and that the cases cover everything. Needs no hub.

    Each fault is named as file#pointer. Names of rulesets, layouts, mappings and code tables are looked for in the
    folder; one that is not there may be in the hub, so it is only mentioned. With --hub the hub plans the folder too:
    that settles those names, and runs the golden cases that are kept there. Pipelines are checked here only.

    Ends with 1 when there is an error; warnings do not count.
    """
    with reporting(as_json=as_json) as report:
        found = _folder(bundles.read(folder), folder)
        asked = _asked(folder) if hub else None
        errors = [*found.errors, *(asked or ())]
        document = {
            "ok": not errors,
            "files": found.files,
            "rules": [_line(rule) for rule in found.rules],
            "errors": [asdict(fault) | {"by": _HERE} for fault in found.errors]
            + [asdict(fault) | {"by": _HUB} for fault in asked or ()],
            "warnings": [asdict(fault) for fault in found.warnings],
            "elsewhere": [asdict(fault) for fault in (*(() if hub else found.elsewhere), *found.unsettled)],
        }
        report.answer(document, *_shown(found, errors, hub=hub))
        if errors:
            raise typer.Exit(REFUSED)


def _folder(folder: Folder, root: Path) -> _Checked:
    # Compiling and checking takes half a second to import: the other commands start without it.
    from cli.rules import files, pipelines

    errors: list[Fault] = []
    rules: list[RuleFile] = []
    for file in (*folder.documents["rulesets"], *folder.documents["layouts"]):
        try:
            rules.append(files.compiled(root / file.name, file.name, file.document))
        except RuleRefused as error:
            errors += error.faults
    for file in folder.documents["code_tables"]:
        errors += _code_table(file)
    for file in folder.manifests.values():
        errors += _manifest(file)
    runs = pipelines.check(folder.pipelines)
    errors += [*folder.pipeline_faults, *runs.faults]
    errors += [fault for rule in rules for fault in rule.errors]
    errors += _repeated([file for found in folder.documents.values() for file in found])
    errors += _repeated(folder.pipelines)
    return _Checked(
        rules,
        len(folder.manifests) + sum(len(found) for found in folder.documents.values()) + len(folder.pipelines),
        errors,
        [fault for rule in rules for fault in rule.warnings],
        _elsewhere(folder, _of_rules(folder, rules)),
        _elsewhere(folder, [(place, kind, (code,)) for place, kind, code in runs.named]),
    )


def _code_table(file: File) -> list[Fault]:
    from chalicelib.rules import code_tables

    try:
        code_tables.check(file.document)
    except RuleRefused as error:
        return [replace(fault, pointer=f"{file.name}#{fault.pointer}") for fault in error.faults]
    return []


def _manifest(file: File) -> list[Fault]:
    from chalicelib.partners.onboarding.manifest import examine

    report = Report()
    examined = examine({"manifest": file.document}, report=report)
    faults = [
        Fault(f"{file.name}#{fault.pointer.removeprefix('/manifest')}", fault.code, fault.message)
        for fault in report.faults
    ]
    stem = Path(file.name).stem
    if examined is not None and examined.manifest.code != stem:
        faults.append(Fault(f"{file.name}#/code", "other_partner", f"The file is named after {stem}."))
    return faults


def _repeated(found: Sequence[File]) -> list[Fault]:
    seen: dict[object, str] = {}
    faults = []
    for file in found:
        code = file.document.get("id")
        if code in seen:
            faults.append(Fault(f"{file.name}#/id", "repeated", f"{seen[code]} has this id too."))
        seen.setdefault(code, file.name)
    return faults


_Reference = tuple[str, str, tuple[str, ...]]
"""The place, the kind, and what the name may stand for."""


def _elsewhere(folder: Folder, named: Sequence[_Reference]) -> list[Fault]:
    """What is named and the folder does not have."""
    here: dict[str, set[str]] = {}
    for file in (*(one for found in folder.documents.values() for one in found), *folder.pipelines):
        here.setdefault(str(file.document.get("kind")), set()).add(str(file.document.get("id")))
    return [
        Fault(place, f"{kind}_elsewhere", f"{codes[0]} is not in this folder.")
        for place, kind, codes in named
        if not here.get(kind, set()) & set(codes)
    ]


def _of_rules(folder: Folder, rules: "Sequence[RuleFile]") -> list[_Reference]:
    """What rulesets look up in, and what manifests name."""
    tables: list[_Reference] = [
        (f"{rule.name}#", "code_table", (code,)) for rule in rules for code in sorted(rule.compiled.code_tables)
    ]
    return tables + [one for file in folder.manifests.values() for one in _named(file)]


def _named(file: File) -> list[_Reference]:
    """The rulesets that a manifest names."""
    found: list[_Reference] = []
    for number, program in enumerate(_list(file.document, "programs")):
        found.append((f"{file.name}#/programs/{number}/ruleset", "accrual", (str(program.get("ruleset")),)))
    for number, target in enumerate(_list(file.document, "targets")):
        found.append((f"{file.name}#/targets/{number}/mapping", "mapping", (str(target.get("mapping")),)))
    layouts = file.document.get("layouts")
    for number, name in enumerate(layouts if isinstance(layouts, list) else ()):
        own = f"{file.document.get('code')}.{name}"
        found.append((f"{file.name}#/layouts/{number}", "layout", (str(name), own)))
    return found


def _list(document: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    found = document.get(name)
    return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []


def _asked(folder: Path) -> Sequence[Fault]:
    """What the hub refuses of the folder. Raises what is no refusal of files, such as a hub that does not answer."""
    configuration = bundles.read(folder).configuration()
    try:
        chosen().client().post_text("/v1/config/plan", configuration.text, idempotency_key=str(uuid.uuid4()))
    except InterlineError as error:
        if not error.faults:
            raise
        return bundles.located(error, configuration.places).faults
    return ()


def _line(rule: "RuleFile") -> dict[str, Any]:
    coverage = rule.coverage
    return {
        "file": rule.name,
        "id": rule.code,
        "kind": rule.kind,
        "cases": len(rule.cases),
        "passed": sum(case.passed for case in rule.cases),
        "covered_percent": None if coverage is None else str(coverage.percent),
    }


def _shown(found: _Checked, errors: Sequence[Fault], *, hub: bool) -> list[RenderableType]:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in ("rule", "kind", "cases", "covered"):
        table.add_column(column, justify="right" if column in {"cases", "covered"} else "left", no_wrap=True)
    for rule in found.rules:
        line = _line(rule)
        cases = f"{line['passed']} of {line['cases']}" if rule.kind != "layout" else "-"
        covered = "-" if rule.coverage is None else f"{line['covered_percent']} %"
        well = not rule.errors
        table.add_row(rule.name, rule.kind, cases, covered, style="" if well else "red")
    shown: list[RenderableType] = [table]
    for title, style, faults in (
        ("error", "bold red", errors),
        ("warning", "yellow", found.warnings),
        ("elsewhere", "dim", (*(() if hub else found.elsewhere), *found.unsettled)),
    ):
        shown += [_told(title, style, fault) for fault in faults]
    text = Text(
        f"{found.files} files, {_count(len(errors), 'error')}, {_count(len(found.warnings), 'warning')}.", "bold"
    )
    if not hub:
        text.append(" Not asked: what only a hub knows (--hub).", "not bold dim")
    return [*shown, text]


def _told(title: str, style: str, fault: Fault) -> RenderableType:
    text = Text(f"{title:<10}", style=style).append(fault.pointer, style="bold default")
    return Group(text, Padding(Text(fault.message).append(f" ({fault.code})", style="dim"), (0, 0, 0, 10)))


def _count(number: int, word: str) -> str:
    return f"{number or 'no'} {word}{'' if number == 1 else 's'}"
