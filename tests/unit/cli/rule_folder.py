"""A small folder of rule files, and the `hub` command run on it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from chalicelib.language import parse_json
from cli.commands import app
from cli.rules import json_text
from tests.factories.rules import accrual_document
from tests.unit.partners.test_onboarding import small_bundle


def write(path: Path, document: Mapping[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json_text.written(document))
    return path


def make_folder(folder: Path) -> Path:
    """Acme with its one program, ruleset and code table."""
    write(folder / "partners/acme.json", small_bundle()["manifest"])
    write(folder / "rulesets/acme.accrual.json", accrual_document())
    write(folder / "code-tables/grades.json", grades(A="1"))
    return folder


def grades(**entries: str) -> dict[str, Any]:
    listed = [{"code": code, "value": value} for code, value in entries.items()]
    return {"id": "grades", "kind": "code_table", "partner": None, "owner": "ops", "why": "A test.", "entries": listed}


def edited(path: Path, **changes: Any) -> dict[str, Any]:
    """A file's document with other members, written back."""
    document = parse_json(path.read_text()) | changes
    write(path, document)
    return document


def hub(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(app, list(arguments), input=stdin)


def answer(result: Result) -> Any:
    """The one JSON document on standard output."""
    return json.loads(result.stdout)
