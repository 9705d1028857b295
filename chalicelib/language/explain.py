"""How a decision came about: every intermediate value by its place in the document, and the whole in plain words."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from chalicelib.language.interpret import Interpreter, Outcome
from chalicelib.language.kinds import CodeTables, Showing, Value, json_value
from chalicelib.language.lint.subject import Subject
from chalicelib.language.recording import Recording
from chalicelib.language.telling import Teller
from chalicelib.language.tree import Apply, Const, Form


def explain(subject: Subject, facts: Mapping[str, Value], as_of: date, code_tables: CodeTables) -> dict[str, Any]:
    """The decision of one record with its trace, as JSON."""
    recording = Recording()
    interpreter = Interpreter(subject.program, subject.needs, facts, as_of, code_tables, recording)
    outcome = interpreter.run()
    return {
        "as_of": as_of.isoformat(),
        "applies": outcome.applies,
        **interpreter.trace(),
        "values": _values(recording),
        "outputs": json_value(outcome.outputs),
        "faults": [
            {"pointer": fault.pointer, "code": fault.code, "message": fault.message} for fault in outcome.faults
        ],
        "sentence": _sentence(subject, recording, outcome),
    }


def _values(recording: Recording) -> dict[str, Any]:
    """The value of every expression that was needed, by JSON Pointer.

    An output has its final value at itself and the value before rounding at its ``expr``. What was evaluated for each
    item of a list has its first values under ``each``. Long texts and a great many values are cut off.
    """
    values: dict[str, Any] = {}
    shown = Showing().of
    for met in recording.met():
        for node, found in met.values.values():
            if isinstance(node, Const):
                continue
            pointer = node.pointer
            if isinstance(node, Apply) and node.function.form is Form.FIXED:
                pointer = pointer.removesuffix("/expr")
            values[pointer] = shown(found[0]) if len(found) == 1 else {"each": shown(found)}
    return values


def _sentence(subject: Subject, recording: Recording, outcome: Outcome) -> str:
    teller = Teller(subject.program, recording)
    sentences = []
    if subject.program.condition is not None:
        sentences.append(teller.condition(applies=outcome.applies))
    sentences.extend(teller.output(name) for name in outcome.outputs or ())
    sentences.extend(f"The record is refused: {fault.message}." for fault in outcome.faults)
    return " ".join(one for one in sentences if one)
