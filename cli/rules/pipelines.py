"""Pipeline files of a folder: checked one by one and together, without a hub."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from chalicelib.errors import Fault
from chalicelib.language import RuleRefused
from cli.bundles import File


@dataclass(frozen=True, slots=True)
class Pipelines:
    """What was found. ``named``: what they name, as (place, kind, code)."""

    faults: Sequence[Fault]
    named: Sequence[tuple[str, str, str]]


def check(files: Sequence[File]) -> Pipelines:
    """Every fault of the files, each as ``file#pointer``."""
    # The models take a moment to import: other commands start without them.
    from chalicelib.pipelines import documents, together

    found: dict[str, documents.Pipeline] = {}
    faults: list[Fault] = []
    for file in files:
        try:
            found[file.name] = documents.check(file.document)
        except RuleRefused as error:
            faults += [replace(fault, pointer=f"{file.name}#{fault.pointer}") for fault in error.faults]
    faults += together.faults(found)
    named = [
        (f"{name}#{pointer}", kind, code)
        for name, pipeline in found.items()
        for kind, codes in (("mapping", pipeline.mappings), ("pipeline", pipeline.children))
        for pointer, code in codes.items()
    ]
    return Pipelines(faults, named)
