"""What a Lambda environment must not pay for before its first request."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
#: Each costs as much as the rest of the hub, and is needed by few handlers.
LAZY = {"boto3", "cryptography", "httpx", "sqlalchemy.orm", "lxml", "alembic", "hypothesis"}


def test_importing_the_app_leaves_slow_packages_alone():
    listing = "import sys, app; print('\\n'.join(sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-c", listing], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split()
    assert LAZY & set(loaded) == set()
    assert "chalicelib.points.accruals" in loaded
