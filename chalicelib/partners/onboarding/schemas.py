"""A partner's manifest as JSON Schema, made of the models that the hub reads it with; see ``rules.schemas``."""

import importlib

from chalicelib import connectors
from chalicelib.deliveries.targets import Frame
from chalicelib.partners.members.enrolments import INPUTS
from chalicelib.partners.onboarding.manifest import Manifest
from chalicelib.rules.schemas.documents import DIALECT, of_model
from chalicelib.rules.schemas.operators import EXPRESSION, Schema, expression


def partner() -> Schema:
    """Everything about one partner: its programs, its layouts, the outside systems that are told."""
    made = of_model(Manifest)
    definitions = made["$defs"]
    read = ", ".join(sorted(INPUTS))
    definitions["EnrolmentRule"]["properties"]["when"] = {**EXPRESSION, "title": f"A condition over {read}."}
    made["properties"]["$schema"] = {"description": "The JSON Schema by which editors check this file."}
    made["properties"]["targets"]["items"] = {"$ref": "#/$defs/Target"}
    definitions["Target"] = _target(definitions)
    definitions["expression"] = expression()
    house = {"properties": {"house": {"const": True}}, "required": ["house"]}
    earning = {"properties": {"programs": {"minItems": 1}}, "required": ["programs"]}
    return {"$schema": DIALECT, **made, "title": "Partner", "anyOf": [house, earning]}


def _target(definitions: Schema) -> Schema:
    """One outside system: what every target has, and what its connector is configured with."""
    frame = of_model(Frame)
    frame["properties"]["connector"]["enum"] = sorted(connectors.KINDS)
    configured: list[Schema] = []
    for kind, module in sorted(connectors.KINDS.items()):
        config = of_model(importlib.import_module(module).Config)
        definitions.update(config.pop("$defs", {}))
        # What is no member of the frame configures the connector, which takes nothing else.
        properties = {**dict.fromkeys(frame["properties"], True), **config["properties"]}
        then = {**config, "properties": properties, "additionalProperties": False}
        asked = {"properties": {"connector": {"const": kind}}, "required": ["connector"]}
        configured.append({"if": asked, "then": then})
    # Other members are the connector's business.
    frame.pop("additionalProperties", None)
    return {**frame, "allOf": configured}
