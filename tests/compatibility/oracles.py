"""Other people's engines for plain JsonLogic, asked for a second opinion."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import datalogic_py
import pytest

NODE_PACKAGES = Path(__file__).parents[1] / "contract" / "node"
SCRIPT = Path(__file__).with_name("json_logic_js.cjs")
STOP_S_MAX = 10


class _Refused:
    """An engine has no answer."""

    def __repr__(self) -> str:
        return "no answer"


REFUSED = _Refused()


class JsonLogicJs:
    """json-logic-js, the reference implementation, in a node process."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def __call__(self, rule: Any, data: Any) -> Any:
        """The answer, or ``REFUSED``."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([rule, data]) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        return answer.get("value", REFUSED)


@contextmanager
def json_logic_js() -> Iterator[JsonLogicJs]:
    """A running json-logic-js; skips the test where there is no node."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed: json-logic-js cannot be asked")
    if not (NODE_PACKAGES / "node_modules" / "json-logic-js").exists():
        pytest.fail("json-logic-js is not installed: run `make setup` (or `npm ci` in tests/contract/node)")
    command = [node, str(SCRIPT), str(NODE_PACKAGES)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield JsonLogicJs(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(timeout=STOP_S_MAX)


class Datalogic:
    """datalogic-py, an implementation in Rust."""

    def __init__(self) -> None:
        self._engine = datalogic_py.Engine()

    def __call__(self, rule: Any, data: Any) -> Any:
        """The answer, or ``REFUSED``."""
        try:
            return json.loads(self._engine.eval_str(json.dumps(rule), json.dumps(data)))
        except datalogic_py.DataLogicError:
            return REFUSED
