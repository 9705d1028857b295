"""The JSON Schemas in ``rules/schemas``, by which editors complete, explain and check rule files.

``python -m cli.schemas`` writes them anew; a test holds them to what the code says.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

FOLDER: Final = Path(__file__).resolve().parents[1] / "rules" / "schemas"


def _made() -> Mapping[str, Callable[[], dict[str, Any]]]:
    # The compiler's registry is imported here: the command line starts without it.
    from chalicelib.partners.onboarding.schemas import partner
    from chalicelib.pipelines.schemas import pipeline
    from chalicelib.rules.schemas import documents as schemas

    return MappingProxyType(
        {
            "ruleset.json": schemas.ruleset,
            "layout.json": schemas.layout,
            "pipeline.json": pipeline,
            "partner.json": partner,
            "code_table.json": schemas.code_table,
        }
    )


def texts() -> dict[str, str]:
    """The text of each schema by the name of its file."""
    return {name: json.dumps(make(), ensure_ascii=False, indent=1) + "\n" for name, make in _made().items()}


def write(folder: Path = FOLDER) -> list[Path]:
    """Write every schema into ``folder``; the files that changed."""
    folder.mkdir(parents=True, exist_ok=True)
    changed = []
    for name, text in texts().items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            changed.append(path)
    return changed


if __name__ == "__main__":
    for path in write():
        print(f"wrote {path}")
