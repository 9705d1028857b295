"""``python -m benchmarks.rivals.rule_process ENGINE``: one engine in a process of its own, told by lines of JSON.

``{"load": shape}`` compiles, ``{"turn": n}`` decides n batches of a thousand records, ``{"explain": n}`` explains n
records, ``{"answers": true}`` tells every answer, ``{"peak": true}`` the peak of its memory; a line answers each.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator
from itertools import cycle
from statistics import median
from typing import Any

from benchmarks import report
from benchmarks.rivals.rule_engines import ENGINES, Decide, Interline, Record
from benchmarks.rule_mapping import MAPPING
from benchmarks.rule_shapes import PREDICATE, TIERS, Shape
from chalicelib.language import json_value

BATCH = 1_000
SHAPES: dict[str, Shape] = {shape.name: shape for shape in (PREDICATE, TIERS, MAPPING)}
_COMPILES = 15


class _Process:
    def __init__(self, name: str) -> None:
        self._engine = ENGINES[name]
        self._decide: Decide = lambda _: None
        self._explain: Decide | None = None
        self._records: list[Record] = []
        self._batches: Iterator[list[Record]] = iter(())

    def load(self, shape: Shape) -> dict[str, float]:
        """Compile the shape and make its records; the time of one compilation."""
        taken = []
        for _ in range(_COMPILES):
            started = time.perf_counter()
            self._decide = self._engine.compile(shape)
            taken.append(time.perf_counter() - started)
        self._records = [self._engine.prepare(record) for record in shape.records()]
        starts = range(0, len(self._records), BATCH)
        self._batches = cycle([self._records[start : start + BATCH] for start in starts])
        self._explain = self._engine.explain(shape) if isinstance(self._engine, Interline) else None
        return {"compile_ms": median(taken) * 1_000}

    def turn(self, batches: int) -> dict[str, Any]:
        """Decide some batches: the seconds of each, and those of the processor for all."""
        started = time.process_time()
        seconds = [_timed(self._decide, next(self._batches)) for _ in range(batches)]
        return {"seconds": seconds, "cpu_s": time.process_time() - started}

    def explain(self, count: int) -> dict[str, float]:
        """The processor's seconds to explain some records, and to decide the same ones."""
        some = next(self._batches)[:count]
        if self._explain is None:
            return {}
        clock = time.process_time
        return {"cpu_s": _timed(self._explain, some, clock), "decided_cpu_s": _timed(self._decide, some, clock)}

    def answers(self) -> list[Any]:
        """Every answer, as JSON."""
        return [json_value(_exact(self._decide(record))) for record in self._records]


def _exact(answer: Any) -> Any:  # noqa: ANN401 - any answer
    """Floats as the decimal that they show as, so that they can be compared."""
    match answer:
        case dict():
            return {name: _exact(value) for name, value in answer.items()}
        case list():
            return [_exact(value) for value in answer]
        case float():
            return repr(answer)
    return answer


def _timed(decide: Decide, records: list[Record], clock: Callable[[], float] = time.perf_counter) -> float:
    started = clock()
    for record in records:
        decide(record)
    return clock() - started


def main() -> None:
    """Answer line by line until the input ends."""
    process = _Process(sys.argv[1])
    for line in sys.stdin:
        match json.loads(line):
            case {"load": str(name)}:
                answer: Any = process.load(SHAPES[name])
            case {"turn": int(batches)}:
                answer = process.turn(batches)
            case {"explain": int(count)}:
                answer = process.explain(count)
            case {"answers": True}:
                answer = process.answers()
            case _:
                answer = {"peak_mb": report.own_peak_mb()}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
