"""`hub rules pull`: what a hub has, written as files in the layout of `rules/`."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.text import Text

from chalicelib.errors import InvalidInput
from chalicelib.language import RuleRefused, parse_json
from chalicelib.rules import canonical
from cli.client import HubClient, segment
from cli.reporting import AsJson, reporting
from cli.rules import json_text
from cli.target import chosen
from local.home import REPOSITORY

_PAGE = 200
_WHY = "Pulled from a hub, which does not keep why: say it here."
_STYLES = {"new": "green", "change": "yellow"}

Action = Literal["new", "change", "unchanged"]


@dataclass(frozen=True, slots=True)
class _Pulled:
    """One file: its name in the folder, the document, and what there is to say about it.

    ``golden``: how many golden cases the hub holds the ruleset to, which stay there.
    """

    name: str
    document: Mapping[str, Any]
    remark: str = ""
    golden: int = 0


def pull(
    *,
    folder: Annotated[
        Path, typer.Argument(file_okay=False, help="Where to; it is made if it is not there.")
    ] = REPOSITORY / "rules",
    as_json: AsJson = False,
) -> None:
    """Write what the hub has as rule files: manifests, layouts, rulesets, code tables with their dated entries.

    Of each ruleset and layout it is the version that decides last: a version that was promoted from a day to come is
    what the files will say, drafts are left out. A file that says the same already keeps its form. Files of which the
    hub has nothing are left alone. `hub rules plan` of the folder then has nothing to change.

    Golden cases stay in the hub, since those of records may be data of a person; how many there are is said. A hub that
    is built anew from the files has none of them.
    """
    with reporting(as_json=as_json) as report:
        client = chosen().client()
        with report.console.status("Reading …"):
            found = list(_everything(client))
        done: list[tuple[_Pulled, Action]] = [(one, _write(folder, one)) for one in found]
        counts = Counter(action for _, action in done)
        text = Text()
        for one, action in done:
            if action != "unchanged" or one.remark:
                text.append(f"  {action:<11}", style=_STYLES.get(action, "dim"))
                text.append(f"{one.name}{one.remark}\n")
        text.append(f"{counts['new']} new, {counts['change']} changed, {counts['unchanged']} unchanged.", style="bold")
        left = [one for one in found if one.golden]
        if left:
            text.append(f"\n{_golden(sum(one.golden for one in left))} in the hub, and in no file:", style="yellow")
        for one in left:
            text.append(f"\n  {one.golden:<11}{one.name}")
        files = [{"file": one.name, "action": action, "golden_cases_left": one.golden} for one, action in done]
        report.answer({"folder": str(folder), "files": files}, text)


def _golden(number: int) -> str:
    return "1 golden case stays" if number == 1 else f"{number} golden cases stay"


def _everything(client: HubClient) -> Iterator[_Pulled]:
    partners = {one["id"]: one["code"] for one in client.items("/v1/partners", limit=_PAGE)}
    for code in partners.values():
        manifest = client.get(f"/v1/partners/{segment(code)}/onboarding")
        remark = "" if manifest["applied"] else "  (made or changed by other ways than a manifest)"
        yield _Pulled(f"partners/{code}.json", parse_json(manifest["content"]), remark)
    for listed in client.items("/v1/rulesets", limit=_PAGE):
        yield from _ruleset(client, listed)
    for table in client.items("/v1/code-tables", limit=_PAGE):
        yield _Pulled(f"code-tables/{table['code']}.json", _code_table(client, table, partners))


def _ruleset(client: HubClient, listed: Mapping[str, Any]) -> Iterator[_Pulled]:
    path = f"/v1/rulesets/{segment(listed['code'])}"
    decides = client.get(path)["decides"]
    if not decides:
        return
    last = decides[-1]
    content = client.get(f"{path}/versions/{last['version']}")["content"]
    golden = len(client.get(f"{path}/cases")["cases"])
    kind = "layouts" if listed["kind"] == "layout" else "rulesets"
    live = (listed["live"] or {}).get("version")
    remark = (
        "" if live == last["version"] else f"  (version {last['version']} decides from {last['effective_from']} on)"
    )
    yield _Pulled(f"{kind}/{listed['code']}.json", parse_json(content), remark, golden)


def _code_table(client: HubClient, table: Mapping[str, Any], partners: Mapping[str, str]) -> dict[str, Any]:
    entries = [
        {name: one[name] for name in ("code", "value", "description", "effective_from", "effective_to") if one[name]}
        for one in client.items(f"/v1/code-tables/{segment(table['code'])}", limit=_PAGE)
    ]
    return {
        "id": table["code"],
        "kind": "code_table",
        "partner": None if table["partner_id"] is None else partners[table["partner_id"]],
        "owner": table["owner"],
        "why": _WHY,
        **({} if table["value"] is None else {"value": table["value"]}),
        "entries": entries,
    }


def _write(folder: Path, pulled: _Pulled) -> Action:
    path = folder / pulled.name
    known = _known(path)
    document = dict(pulled.document)
    if known is not None:
        if document.get("kind") == "code_table":
            # The hub keeps neither the reason nor the order of the entries.
            document |= {"why": known.get("why", _WHY)} | {name: known[name] for name in ("$schema",) if name in known}
        if canonical.text(_comparable(known)) == canonical.text(_comparable(document)):
            return "unchanged"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json_text.written(document), encoding="utf-8")
    except OSError as error:
        raise InvalidInput(f"{path} cannot be written: {error.strerror}.", code="file_unwritable") from error
    return "new" if known is None else "change"


def _known(path: Path) -> dict[str, Any] | None:
    """What a file says now; nothing when there is none, or when it is no document any more."""
    try:
        found = parse_json(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, UnicodeDecodeError, RuleRefused):
        return None
    return found if isinstance(found, dict) else None


def _comparable(document: Mapping[str, Any]) -> dict[str, Any]:
    """A document without what says nothing: the order of a code table's entries, members that are null."""
    if document.get("kind") != "code_table":
        return dict(document)
    entries = [
        {name: value for name, value in entry.items() if value is not None}
        for entry in document.get("entries") or ()
        if isinstance(entry, Mapping)
    ]
    return {"partner": None, **document, "entries": sorted(entries, key=canonical.text)}
