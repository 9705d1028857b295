"""A pipeline as JSON Schema, made of the models that the hub reads it with; see ``rules.schemas``."""

from typing import Final

from chalicelib.pipelines.documents import KIND, NAMES, PipelineDocument
from chalicelib.rules.schemas.documents import DIALECT, envelope, of_model
from chalicelib.rules.schemas.operators import Schema

#: What an editor offers for a new step.
_SNIPPETS: Final = (
    ("work", "The hub does something itself.", {"does": "", "timeout_s": 60, "retry": "passing"}),
    (
        "deliver",
        "An outside system is told.",
        {"target": "", "mapping": "", "throttle": "", "timeout_s": 300, "retry": "passing"},
    ),
    ("wait", "Until somebody outside reports.", {"event": "", "timeout_s": 86_400}),
    ("pause", "For a time.", {"pause_s": 900}),
    ("pipeline", "Another pipeline runs.", {"pipeline": "", "timeout_s": 3_600}),
)


def pipeline() -> Schema:
    """The steps that a document goes through, with their retries, throttles and times."""
    made = of_model(PipelineDocument)
    for name in ("retries", "throttles"):
        # Pydantic checks the names, and says nothing of them.
        made["properties"][name]["propertyNames"] = {"pattern": f"^(?:{NAMES[name]})$"}
    steps = made["properties"]["steps"]
    steps["defaultSnippets"] = [
        {"label": kind, "description": words, "body": [{"name": "", "kind": kind, **body}]}
        for kind, words, body in _SNIPPETS
    ]
    steps["items"]["defaultSnippets"] = [
        {"label": kind, "description": words, "body": {"name": "", "kind": kind, **body}}
        for kind, words, body in _SNIPPETS
    ]
    return {
        "$schema": DIALECT,
        **made,
        "title": "Pipeline",
        "description": "What becomes of an order, a quote or a lead on its way through the hub, step by step.",
        "properties": {**envelope(), "kind": {"const": KIND}, **made["properties"]},
        "required": ["id", "kind", "owner", "why", *made["required"]],
    }
