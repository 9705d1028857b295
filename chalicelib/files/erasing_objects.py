"""Forgetting a person in objects that are no archived file: those that were refused, and those that the hub sent.

A refused file was never read, so it has no effect that would have to stay provable: one that names the person goes as a
whole. In a file that the hub wrote, the cells that name the person are filled; the figures of its rows stay.
"""

import csv
import gzip
import io
import re
import zipfile
import zlib
from collections.abc import Collection, Iterator
from typing import Final

from chalicelib.files import redacting
from chalicelib.files.redacting import Span
from chalicelib.partners.erasing import Sought
from chalicelib.settings import settings
from chalicelib.storage import objects
from chalicelib.storage.objects import ObjectInfo

#: The largest object that is searched: a larger refused one goes as it is. Sent ones are read line by line.
_SEARCHED_BYTES_MAX: Final = 64 << 20
_ENCODINGS: Final = ("utf-8", "cp1252", "utf-16-le", "utf-16-be")
#: Columns of the files that the hub writes which name a person.
_NAMING: Final = frozenset({"employee_id", "customer_no", "email"})
_KEEP: Final = b',;|\t"\r\n'


def following(bucket_name: str, partner_code: str, after: str) -> Iterator[ObjectInfo]:
    """The partner's objects in a bucket (``hub-reject``, ``hub-out``) behind a key, in order. Raises Unavailable."""
    # What goes to an outside system is about several partners; such folders begin with an underscore.
    for prefix in ("_", f"{partner_code}/"):
        if after.startswith(f"{partner_code}/") and prefix == "_":
            continue
        for found in objects.list_under(settings().bucket(bucket_name), prefix):
            if not after.startswith(prefix) or found.key > after:
                yield found


def erase_refused(found: ObjectInfo, sought: Sought) -> int:
    """Delete an object of the reject bucket that names the person, or that cannot be searched; how many went."""
    bucket = settings().bucket("hub-reject")
    if found.size <= _SEARCHED_BYTES_MAX:
        with objects.open_range(bucket, found.key) as source:
            content = _expanded(source.read())
        if content is not None and not names(content, sought.numbers | sought.mails):
            return 0
    objects.delete(bucket, found.key, etag=found.etag)
    return 1


def names(content: bytes, values: Collection[str]) -> bool:
    """Whether bytes hold one of the values as a word of its own, in any letter case and usual encoding."""
    lowered = content.lower()
    for value in values:
        for encoding in _ENCODINGS:
            try:
                token = value.lower().encode(encoding)
            except UnicodeEncodeError:
                continue
            for at in re.finditer(re.escape(token), lowered):
                before, after = lowered[max(0, at.start() - 1) : at.start()], lowered[at.end() : at.end() + 1]
                if not (before.isalnum() or after.isalnum()):
                    return True
    return False


def _expanded(content: bytes) -> bytes | None:
    """What is in an object; None when it cannot be expanded within the cap."""
    try:
        if content.startswith(b"\x1f\x8b"):
            with gzip.GzipFile(fileobj=io.BytesIO(content)) as packed:
                plain = packed.read(_SEARCHED_BYTES_MAX + 1)
        elif content.startswith(b"PK"):
            with zipfile.ZipFile(io.BytesIO(content)) as packed_files:
                if sum(each.file_size for each in packed_files.infolist()) > _SEARCHED_BYTES_MAX:
                    return None
                plain = b"\n".join(packed_files.read(each) for each in packed_files.infolist())
        else:
            return content
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile, RuntimeError, NotImplementedError):
        return None
    return None if len(plain) > _SEARCHED_BYTES_MAX else plain


def erase_sent(found: ObjectInfo, sought: Sought, *, partner_code: str) -> int:
    """Fill the cells that name the person in a table of the outbox bucket; how many lines had some.

    In a table that says whose employee each line is about, only the partner's lines are looked at.
    """
    bucket = settings().bucket("hub-out")
    spans: list[Span] = []
    lines = 0
    naming: list[int] | None = None
    partner_at: int | None = None
    offset = 0
    delimiter = ","
    with objects.open_range(bucket, found.key) as source:
        while raw := source.readline(_SEARCHED_BYTES_MAX):
            text = raw.decode("utf-8", "replace")
            if naming is None:
                delimiter = max(",;|\t", key=text.count)
                cells = _cells(text, delimiter)
                header = [cell.strip().lstrip("\ufeff").casefold() for cell in cells]
                naming = [at for at, name in enumerate(header) if name in _NAMING]
                if not naming:
                    return 0
                partner_at = header.index("partner_code") if "partner_code" in header else None
            else:
                cells = _cells(text, delimiter)
                theirs = partner_at is None or (partner_at < len(cells) and cells[partner_at].strip() == partner_code)
                if theirs and any(at < len(cells) and _is(cells[at], sought) for at in naming):
                    lines += 1
                    spans += _spans(raw, offset, sought)
            offset += len(raw)
    if spans:
        redacting.rewrite(bucket, found.key, spans, _KEEP)
    return lines


def _is(cell: str, sought: Sought) -> bool:
    return cell.strip() in sought.values or cell.strip().casefold() in sought.mails


def _cells(text: str, delimiter: str) -> list[str]:
    return next(csv.reader([text.rstrip("\r\n")], delimiter=delimiter), [])


def _spans(raw: bytes, offset: int, sought: Sought) -> Iterator[Span]:
    edge = rb"(?<![^" + re.escape(_KEEP) + rb"])"
    end = rb"(?![^" + re.escape(_KEEP) + rb"])"
    taken: list[Span] = []
    for value in sorted(sought.values, key=len, reverse=True):
        taken += [
            Span(offset + at.start(), at.end() - at.start())
            for at in re.finditer(edge + re.escape(value.encode()) + end, raw, re.IGNORECASE)
        ]
    yield from sorted(taken, key=lambda span: span.offset)
