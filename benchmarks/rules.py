"""``python -m benchmarks.rules``: how fast rules decide, beside the same rules by hand and in other engines.

Three shapes (``rule_shapes``, ``rule_mapping``), with null guards, rounding and code tables on. Every engine runs in a
process of its own, and by turns: each decides some thousand records, then the next. Its answers are compared with those
of the rules by hand, which compute in Decimal; engines that compute in binary floating point get some wrong.

Ratios are of processor time, which other programs on the machine hardly change; the rest is what the clock said.
``datalogic`` is given records of binary numbers, ready made; ``datalogic_from_facts`` starts and ends where the hub's
rules do, with typed facts and Decimal amounts.
"""

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from statistics import median, quantiles
from typing import Any

from benchmarks import report
from benchmarks.rivals.rule_process import BATCH, SHAPES
from benchmarks.rule_shapes import Shape, binary
from local.home import REPOSITORY

_TURNS, _TURNS_QUICK = 60, 12
_BATCHES_A_TURN = 5
# Some are so slow that they take few turns, and short ones.
_SLOW, _SLOW_EVERY = frozenset({"qubit"}), 6
_EXPLAINED_EVERY, _EXPLAINED = 4, 100
_PYTHON = ("interline", "by_hand", "datalogic", "datalogic_from_facts", "zen", "qubit")
_NODE = ("json-logic-js", "json-logic-engine")
_NODE_PACKAGES = REPOSITORY / "tests" / "contract" / "node"
TARGET_BY_HAND, TARGET_DATALOGIC = 0.6, 2.0


@dataclass(slots=True)
class Rival:
    """One engine in its process, and what was measured of one shape."""

    name: str
    process: "subprocess.Popen[str]"
    compile_ms: float = 0.0
    seconds: list[float] = field(default_factory=list)
    cpu_s: dict[int, float] = field(default_factory=dict)
    explain_ratios: list[float] = field(default_factory=list)
    wrong: int = 0
    peak_mb: float = 0.0

    def ask(self, **question: Any) -> Any:  # noqa: ANN401 - any JSON
        """Say one line and read one."""
        if self.process.stdin is None or self.process.stdout is None:
            raise RuntimeError(f"{self.name} has no pipes")
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} died: exit code {self.process.wait()}")
        return json.loads(line)

    def ratio_to(self, other: "Rival") -> float:
        """How many times as many records as ``other`` in the same processor time: the median over common turns."""
        return median(other.cpu_s[turn] / self.cpu_s[turn] for turn in self.cpu_s.keys() & other.cpu_s.keys())

    def figures(self, by_hand: "Rival") -> dict[str, float]:
        """What the table shows; the percentiles are of the time for a thousand records."""
        in_ms = [seconds * 1_000 for seconds in self.seconds]
        cuts = quantiles(in_ms, n=100, method="inclusive")
        return {
            "records_per_s": round(BATCH / median(self.seconds)),
            "ratio_to_by_hand": round(self.ratio_to(by_hand), 3),
            "p50_ms": round(cuts[49], 2),
            "p95_ms": round(cuts[94], 2),
            "p99_ms": round(cuts[98], 2),
            "compile_ms": round(self.compile_ms, 3),
            "peak_mb": self.peak_mb,
            "wrong_of_10k": self.wrong,
        }


def main() -> None:
    """Measure and print."""
    args = report.arguments(__doc__ or "")
    turns = _TURNS_QUICK if args.quick else _TURNS
    figures: dict[str, Any] = {}
    for shape in SHAPES.values():
        figures |= _measure(args, shape, turns)
    figures |= {
        f"lowest_ratio_to_{other}": min(figures[f"{shape}_interline_ratio_to_{other}"] for shape in SHAPES)
        for other in ("by_hand", "datalogic", "datalogic_from_facts")
    }
    report.say(args, "\n" + _verdict(figures))
    report.finish(args, figures)


def _measure(args: argparse.Namespace, shape: Shape, turns: int) -> dict[str, Any]:
    with ExitStack() as running:
        rivals = [running.enter_context(_started(name)) for name in _names(args)]
        for rival in rivals:
            _load(rival, shape)
        for turn in range(-1, turns):
            for rival in rivals:
                _take_turn(rival, turn)
        _judge(rivals, shape)
        for rival in rivals:
            rival.peak_mb = rival.ask(peak=True)["peak_mb"]
    by_name = {rival.name: rival for rival in rivals}
    ours, by_hand = by_name["interline"], by_name["by_hand"]
    tables = {name: rival.figures(by_hand) for name, rival in by_name.items()}
    explain_ratio = round(median(ours.explain_ratios), 1)
    report.show(args, f"{shape.name}: {turns} turns of {_BATCHES_A_TURN} batches of {BATCH:,} records", tables)
    report.say(args, f"An explained decision costs {explain_ratio} times as much as a decision.")
    return {
        **{
            f"{shape.name}_{name.replace('-', '_')}_{figure}": value
            for name, table in tables.items()
            for figure, value in table.items()
        },
        **{
            f"{shape.name}_interline_ratio_to_{other}": round(ours.ratio_to(by_name[other]), 3)
            for other in ("datalogic", "datalogic_from_facts")
        },
        f"{shape.name}_explain_ratio": explain_ratio,
    }


def _names(args: argparse.Namespace) -> tuple[str, ...]:
    if shutil.which("node") is None or not all((_NODE_PACKAGES / "node_modules" / name).exists() for name in _NODE):
        report.say(args, "Without node and its packages (make setup): " + " and ".join(_NODE) + " are left out.")
        return _PYTHON
    return _PYTHON + _NODE


@contextmanager
def _started(name: str) -> Iterator[Rival]:
    command = (
        ["node", str(REPOSITORY / "benchmarks" / "rivals" / "rule_process.cjs"), name, str(_NODE_PACKAGES)]
        if name in _NODE
        else [sys.executable, "-m", "benchmarks.rivals.rule_process", name]
    )
    with subprocess.Popen(  # noqa: S603 - the interpreter, or node, with a script of ours
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY
    ) as process:
        yield Rival(name, process)
        if process.stdin is not None:
            process.stdin.close()


def _load(rival: Rival, shape: Shape) -> None:
    told = (
        rival.ask(rule=shape.plain, records=[binary(record) for record in shape.records()])
        if rival.name in _NODE
        else rival.ask(load=shape.name)
    )
    rival.compile_ms = told["compile_ms"]


def _take_turn(rival: Rival, turn: int) -> None:
    slow = rival.name in _SLOW
    if slow and turn % _SLOW_EVERY:
        return
    batches = 1 if slow else _BATCHES_A_TURN
    told = rival.ask(turn=batches)
    if turn < 0:
        return  # the first turn warms up
    rival.seconds += told["seconds"]
    rival.cpu_s[turn] = told["cpu_s"] / batches
    if rival.name == "interline" and turn % _EXPLAINED_EVERY == 0:
        explained = rival.ask(explain=_EXPLAINED)
        rival.explain_ratios.append(explained["cpu_s"] / explained["decided_cpu_s"])


def _judge(rivals: list[Rival], shape: Shape) -> None:
    """Count the answers that differ from those by hand; ours may have none, not even a digit written differently."""
    [right] = (rival.ask(answers=True) for rival in rivals if rival.name == "by_hand")
    for rival in rivals:
        answers = rival.ask(answers=True)
        rival.wrong = sum(not _same(shape, found, expected) for found, expected in zip(answers, right, strict=True))
        if rival.name == "interline" and answers != right:
            raise RuntimeError(f"{shape.name}: the hub's rules answer otherwise than those by hand")


def _same(shape: Shape, found: Any, expected: Mapping[str, Any] | None) -> bool:  # noqa: ANN401 - any answer
    if expected is None or found is None:
        return expected is found
    values = [found.get(name) for name in shape.outputs] if isinstance(found, dict) else found
    values = values if isinstance(values, list) else [values]
    return all(
        _equal(value, expected[name], shape.document["outputs"][name]["type"])
        for name, value in zip(shape.outputs, values, strict=True)
    )


def _equal(value: Any, expected: Any, kind: str) -> bool:  # noqa: ANN401 - any value
    if kind not in {"decimal", "integer"} or value is None or expected is None:
        return bool(value == expected)
    return Decimal(str(value)) == Decimal(str(expected))


def _verdict(figures: Mapping[str, Any]) -> str:
    by_hand, bare, whole = (
        figures[f"lowest_ratio_to_{other}"] for other in ("by_hand", "datalogic", "datalogic_from_facts")
    )
    return (
        f"In the shape that is worst for them, the hub's rules reach {by_hand} of the rules by hand (aim: "
        f"{TARGET_BY_HAND}), {whole} times datalogic-py from typed facts to amounts (aim: {TARGET_DATALOGIC}), and "
        f"{bare} times datalogic-py from ready-made records of binary numbers to floats."
    )


if __name__ == "__main__":
    main()
