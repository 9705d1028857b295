"""The reference implementation, one process of it for the tests of a module."""

from collections.abc import Iterator

import pytest

from tests.compatibility.oracles import JsonLogicJs, json_logic_js


@pytest.fixture(scope="module")
def reference() -> Iterator[JsonLogicJs]:
    """json-logic-js."""
    with json_logic_js() as running:
        yield running
