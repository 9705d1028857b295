"""What a Lambda environment must not pay for before its first request."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
#: Each costs as much as the rest of the hub, and is needed by few handlers.
SLOW = {"boto3", "botocore", "cryptography", "httpx", "pymysql", "sqlalchemy.orm", "lxml", "alembic", "hypothesis"}
#: Parts of the hub that one handler needs: it imports them itself.
OF_ONE_HANDLER = {
    "chalicelib.deliveries.pump",  # the pump
    "chalicelib.files.intake.way",  # the file handler
    "chalicelib.files.intake.sweeper",  # the sweeper
    "chalicelib.language.build",  # whoever compiles the first rule
    "chalicelib.language.lower",
    "chalicelib.language.tree",
    "chalicelib.web.openapi",  # who asks for the OpenAPI document
    "difflib",  # who misspells a name
}
_TELL = """
import app, gc, json, sys
from chalicelib.web.pages import Page
from chalicelib.web.shapes import Body, Query, View

def kinds(of):
    return [one for kind in of.__subclasses__() for one in (kind, *kinds(kind))]

models = [one for base in (Body, Query, View, Page) for one in kinds(base)]
built = [one.__name__ for one in models if one.__pydantic_complete__]
print(json.dumps({
    "modules": sorted(sys.modules), "models": len(models), "built": built,
    "kept": gc.get_freeze_count(), "watched": len(gc.get_objects()),
}))
"""


@pytest.fixture(scope="module")
def imported() -> dict:
    """What a process that has imported the app tells of itself."""
    told = subprocess.run([sys.executable, "-c", _TELL], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return json.loads(told)


class TestImportingTheApp:
    def test_leaves_slow_packages_alone(self, imported):
        assert SLOW & set(imported["modules"]) == set()
        assert "chalicelib.points.earning.accruals" in imported["modules"]

    def test_leaves_alone_what_one_handler_needs(self, imported):
        assert OF_ONE_HANDLER & set(imported["modules"]) == set()

    def test_builds_no_model_before_it_is_used(self, imported):
        assert imported["models"] > 100
        assert imported["built"] == []

    def test_keeps_the_garbage_collector_from_looking_at_it_again(self, imported):
        assert imported["kept"] > 10 * imported["watched"]
