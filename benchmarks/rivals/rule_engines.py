"""The engines of ``benchmarks.rules`` that Python programs can use, each in the fastest way it offers for a dict."""

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Protocol

from benchmarks.rivals.rules_by_hand import BY_HAND, CENT
from benchmarks.rule_shapes import AS_OF, CODE_TABLES, Shape, binary
from chalicelib.language import compile_ruleset

Record = dict[str, Any]
Decide = Callable[[Record], Any]


class Engine(Protocol):
    """Makes a function of a record out of a shape."""

    def prepare(self, record: Record) -> Record:
        """The record as the engine takes it."""

    def compile(self, shape: Shape) -> Decide:
        """The shape, ready to decide; the answer is a dict of outputs, a list of them or one of them."""


class Interline:
    """The hub's rules, compiled."""

    def prepare(self, record: Record) -> Record:
        """Typed facts, as they are."""
        return record

    def compile(self, shape: Shape) -> Decide:
        """The compiled ruleset."""
        decide = compile_ruleset(shape.document).decide
        return lambda record: decide(record, as_of=AS_OF, code_tables=CODE_TABLES)

    def explain(self, shape: Shape) -> Decide:
        """The explained decision."""
        explain = compile_ruleset(shape.document).explain
        return lambda record: explain(record, as_of=AS_OF, code_tables=CODE_TABLES)


class ByHand:
    """Python with Decimal, written by hand."""

    def prepare(self, record: Record) -> Record:
        """Typed facts, as they are."""
        return record

    def compile(self, shape: Shape) -> Decide:
        """The function."""
        decide = BY_HAND[shape.name]
        return lambda record: decide(record, CODE_TABLES)


class Datalogic:
    """datalogic-py: JsonLogic in Rust."""

    def __init__(self) -> None:
        self._best: dict[str, int] = {}

    def prepare(self, record: Record) -> Record:
        """Binary numbers and texts."""
        return binary(record)

    def compile(self, shape: Shape) -> Decide:
        """The quickest of its ways from a dict to an answer."""
        from datalogic_py import DataHandle
        from datalogic_py import Engine as Datalogics

        engine = Datalogics()
        rule, session = engine.compile(shape.plain), engine.session()
        ways: Sequence[Decide] = (
            rule.evaluate,
            lambda record: session.evaluate(rule, record),
            lambda record: session.evaluate_data(rule, DataHandle(record)),
            lambda record: json.loads(session.evaluate_str(rule, json.dumps(record))),
        )
        if shape.name not in self._best:
            self._best[shape.name] = _quickest(ways, binary(shape.records()[0]))
        return ways[self._best[shape.name]]


class DatalogicFromFacts(Datalogic):
    """datalogic-py as the hub would have to call it: from typed facts, with amounts in Decimal as the answer."""

    def prepare(self, record: Record) -> Record:
        """Typed facts, as they are."""
        return record

    def compile(self, shape: Shape) -> Decide:
        """The rule between two conversions."""
        evaluate = super().compile(shape)
        amounts = frozenset(
            place for place, name in enumerate(shape.outputs) if shape.document["outputs"][name]["type"] == "decimal"
        )

        def decide(record: Record) -> Any:  # noqa: ANN401 - a value or a list of them
            answer = evaluate(
                {
                    name: float(value)
                    if type(value) is Decimal
                    else value.isoformat()
                    if type(value) is date
                    else value
                    for name, value in record.items()
                }
            )
            if isinstance(answer, list):
                return [_amount(value) if place in amounts else value for place, value in enumerate(answer)]
            return _amount(answer) if amounts else answer

        return decide


def _amount(answer: float | None) -> Decimal | None:
    """The answer with two decimal places."""
    return None if answer is None else Decimal(repr(answer)).quantize(CENT)


class Zen:
    """zen-engine: an expression of its language, compiled."""

    def prepare(self, record: Record) -> Record:
        """Binary numbers and texts."""
        return binary(record)

    def compile(self, shape: Shape) -> Decide:
        """The compiled expression, without a decision graph around it."""
        import zen

        decide: Decide = zen.compile_expression(shape.zen).evaluate
        return decide


class Qubit:
    """json-logic-qubit: JsonLogic in Python, interpreted."""

    def prepare(self, record: Record) -> Record:
        """Binary numbers and texts."""
        return binary(record)

    def compile(self, shape: Shape) -> Decide:
        """It has nothing to compile; ``floor`` is taught to it."""
        import json_logic

        json_logic.add_operation("floor", math.floor)
        apply, rule = json_logic.jsonLogic, shape.plain
        return lambda record: apply(rule, record)


ENGINES: Mapping[str, Engine] = {
    "interline": Interline(),
    "by_hand": ByHand(),
    "datalogic": Datalogic(),
    "datalogic_from_facts": DatalogicFromFacts(),
    "zen": Zen(),
    "qubit": Qubit(),
}
_TRIES = 300


def _quickest(ways: Sequence[Decide], record: Record) -> int:
    def taken(way: Decide) -> float:
        started = time.perf_counter()
        for _ in range(_TRIES):
            way(record)
        return time.perf_counter() - started

    best = [min(taken(way) for _ in range(3)) for way in ways]
    return best.index(min(best))
