"""`hub ledger verify`: slice by slice, and what is wrong by name."""

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from cli import proving
from cli.client import HubClient
from cli.commands import app
from cli.target import Target
from tests.unit.cli.answers import Answers

FAULT = {"kind": "altered", "block": 3, "table": "transfer", "row": {"id": "trf_1"}, "columns": ["amount_minor"]}
BREAK = {"code": "overspent", "subject": "ab", "expected": 0, "found": -5}


def part(**values: Any) -> tuple[int, dict[str, Any]]:
    """An answer of the endpoint."""
    nothing = {"blocks": 0, "rows": 0, "accounts": 0, "faults": [], "breaks": []}
    ends = {"verified": True, "complete": True, "next_block": None, "next_account": None}
    return 200, {**nothing, **ends, **values}


@pytest.fixture(autouse=True)
def _target(client: HubClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proving, "chosen", lambda: Target(client.url, "ilk_a_b", None))


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["ledger", "verify", *arguments])
    return done.exit_code, done.stdout


class TestVerify:
    def test_goes_on_where_each_answer_says(self):
        Answers.prepared += [
            part(blocks=2, rows=5, complete=False, next_block=3),
            part(blocks=1, rows=2),
            part(accounts=4, complete=False, next_account="acc_9"),
            part(accounts=1),
        ]

        status, told = run()

        assert status == 0
        assert "7 rows in 3 blocks, 5 accounts" in told
        assert [json.loads(asked[3]) for asked in Answers.asked] == [
            {"part": "chain", "from_block": 1},
            {"part": "chain", "from_block": 3},
            {"part": "sums"},
            {"part": "sums", "after_account": "acc_9"},
        ]

    def test_does_not_claim_a_chain_that_has_no_block_yet(self):
        Answers.prepared += [part(), part(accounts=4)]

        status, told = run()

        assert status == 0
        assert "The sums are right (4 accounts); no block of the hash chain was compared." in told

    def test_refuses_blocks_in_the_wrong_order_before_it_asks(self):
        status, told = run("--from-block", "3", "--to-block", "2")

        assert status == 2
        assert "--to-block 2 is before --from-block 3." in told

    def test_names_what_is_wrong_and_ends_with_one(self):
        Answers.prepared += [part(verified=False, faults=[FAULT]), part(verified=False, breaks=[BREAK])]

        status, told = run()

        assert status == 1
        assert "altered" in told
        assert "trf_1 amount_minor" in told
        assert "expected 0, found -5" in told

    def test_of_one_program_leaves_the_chain_out(self):
        Answers.prepared += [part(accounts=2)]

        status, told = run("--program", "prg_1", "--json")

        assert (status, json.loads(told)["accounts"]) == (0, 2)
        assert json.loads(Answers.asked[0][3]) == {"part": "sums", "program_id": "prg_1"}
