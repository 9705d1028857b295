"""The endpoint that the README's recipe shows passes what every endpoint must pass."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
#: As if the file lay in the room's own package.
ADDED = "import sys, pytest, chalicelib.points.api as api; api.__path__.append(sys.argv[1]); sys.exit(pytest.main({}))"
ARGUMENTS = ["tests/contract", "-q", "-p", "no:cacheprovider", "-k", "latest-accrual"]


def asked(endpoint: str, directory: Path) -> str:
    """What the contract tests say of an endpoint."""
    (directory / "latest_accrual.py").write_text(endpoint)
    command = [sys.executable, "-c", ADDED.format(ARGUMENTS), str(directory)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout


def test_the_endpoint_of_the_recipe_passes_the_contract_tests_and_needs_its_line(tmp_path: Path) -> None:
    [endpoint] = re.findall(r"```python\n(.+?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    line = "    call.require_partner(member.partner_id)\n"
    assert line in endpoint

    assert re.search(r"\n\d{2,} passed", asked(endpoint, tmp_path))
    assert "AnotherPartnersData" in asked(endpoint.replace(line, ""), tmp_path).partition("short test summary")[2]
