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
from collections.abc import Collection, Iterator, Sequence
from typing import Final

from chalicelib.files.formats import redacting
from chalicelib.files.formats.redacting import Span
from chalicelib.partners.members.erasing import Sought
from chalicelib.settings import settings
from chalicelib.storage import objects
from chalicelib.storage.objects import ObjectInfo

#: The largest object that is searched: a larger refused one goes as it is. Sent ones are read line by line.
_SEARCHED_BYTES_MAX: Final = 64 << 20
_ENCODINGS: Final = ("utf-8", "cp1252", "utf-16-le", "utf-16-be")
#: Columns of the files that the hub writes which name a person. Those files are tables of plain text: nothing that
#: writes into ``hub-out`` (exports, receipts, rejects) compresses, so there is nothing to expand before it is searched.
_NAMING: Final = frozenset({"employee_id", "customer_no", "entity", "email"})
_KEEP: Final = b',;|\t"\r\n'


def following(bucket_name: str, partner_codes: Sequence[str], after: str) -> Iterator[ObjectInfo]:
    """The partners' objects in a bucket (``hub-reject``, ``hub-out``) behind a key, in order. Raises Unavailable."""
    # What goes to an outside system is about several partners; such folders begin with an underscore.
    prefixes = ("_", *(f"{code}/" for code in partner_codes))
    first = next((at for at, prefix in enumerate(prefixes) if after.startswith(prefix)), 0)
    for prefix in prefixes[first:]:
        for found in objects.list_under(settings().bucket(bucket_name), prefix):
            if not after.startswith(prefix) or found.key > after:
                yield found


def erase_refused(found: ObjectInfo, sought: Sought, *, partner_code: str) -> int:
    """Delete an object of the reject bucket that names the person, or that cannot be searched; how many went.

    In another sender's folder the employee number means the person only beside the partner's code.
    """
    bucket = settings().bucket("hub-reject")
    is_own = found.key.startswith(("_", f"{partner_code}/"))
    if found.size <= _SEARCHED_BYTES_MAX:
        with objects.open_range(bucket, found.key) as source:
            content = _expanded(source.read())
        if content is not None and not _is_about(content, sought, None if is_own else partner_code):
            return 0
    objects.delete(bucket, found.key, etag=found.etag)
    return 1


def _is_about(content: bytes, sought: Sought, beside: str | None) -> bool:
    if names(content, sought.mails | sought.accounts):
        return True
    return names(content, sought.numbers) and (beside is None or names(content, {beside}))


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

    In a table that says whose employee each line is about, an employee number counts in the partner's lines only.
    """
    bucket = settings().bucket("hub-out")
    spans: list[Span] = []
    lines = 0
    naming: dict[int, str] | None = None
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
                naming = {at: name for at, name in enumerate(header) if name in _NAMING}
                if not naming:
                    return 0
                partner_at = header.index("partner_code") if "partner_code" in header else None
            else:
                cells = _cells(text, delimiter)
                theirs = partner_at is None or (partner_at < len(cells) and cells[partner_at].strip() == partner_code)
                if any(_is(cells[at], name, sought, theirs=theirs) for at, name in naming.items() if at < len(cells)):
                    lines += 1
                    spans += _spans(raw, offset, sought)
            offset += len(raw)
    if spans:
        redacting.rewrite(bucket, found.key, spans, _KEEP)
    return lines


def _is(cell: str, column: str, sought: Sought, *, theirs: bool) -> bool:
    if column == "email":
        return cell.strip().casefold() in sought.mails
    if column == "employee_id":
        return theirs and cell.strip() in sought.numbers
    # The columns of customers' numbers.
    return cell.strip() in sought.values


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
