"""What the receipts that a test's hub has written have to be: the schema that their readers are given."""

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from chalicelib.files.answers import receipts
from chalicelib.storage import objects

SCHEMA = Path(__file__).parents[2] / "docs/receipt.schema.json"


@lru_cache(maxsize=1)
def validator() -> Draft202012Validator:
    """What judges receipts."""
    return Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))


def faults(receipt: Any) -> list[str]:
    """Where a receipt is not what the schema says, and why."""
    return [f"{error.json_path}: {error.message}" for error in validator().iter_errors(receipt)]


def faults_of_all() -> dict[str, list[str]]:
    """The same of every receipt that lies in the outbox, by key; those without faults are left out."""
    keys = [found.key for found in objects.list_under(receipts.bucket())]
    read = {
        key: json.loads(b"".join(objects.stream(receipts.bucket(), key)))
        for key in keys
        if key.rpartition("/")[2].startswith("receipt_") and key.endswith(".json")
    }
    return {key: found for key, receipt in read.items() if (found := faults(receipt))}


def put(key: str, receipt: Any) -> None:
    """Lay a receipt into the outbox, as if the hub had written it."""
    objects.put(receipts.bucket(), key, json.dumps(receipt).encode())
