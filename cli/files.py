"""Send a file to a hub by the S3 API, and follow it until its receipt."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Table
from rich.text import Text

from chalicelib.errors import InvalidInput, NotFound, Unavailable
from chalicelib.settings import settings
from cli.client import HubClient

_POLL_S = 0.25
_POLL_MAX_S = 2.0
_POLL_GROWTH = 1.2
_NOTICED_S = 90.0
_FINISHED_S = 3600.0
_SAME_SECOND = timedelta(seconds=2)
_UNREGISTERED_S = 5.0
_SILENT_S = 20.0
_SIDECAR = ".ctl"
_NAME_WIDTH_MIN = 22
_STATUS_WIDTH_MIN = 11
_POINTS_WIDTH_MIN = 8
_REJECTS_SHOWN = 5
_REFUSED = frozenset({"quarantined", "broken", "ignored"})

Sent = Callable[[int], None]
Seen = Callable[[Mapping[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Drop:
    """A file on its way: its key in hub-in, and what tells its arrival from earlier ones of the same name."""

    key: str
    seen_before: frozenset[str]
    begun: datetime


@dataclass(frozen=True, slots=True)
class Finished:
    """A file that is done, and its receipt."""

    file: Mapping[str, Any]
    receipt: Mapping[str, Any]

    @property
    def well(self) -> bool:
        """Whether the file was taken and none of its rows was rejected."""
        return self.file["state"] not in _REFUSED and not self.file["rows"]["rejected"]


class Inbox:
    """The buckets of one hub, with the credentials that ``options`` hold (none: as boto3 is set up)."""

    def __init__(self, client: HubClient, options: Mapping[str, str]) -> None:
        import boto3

        self._client = client
        self._s3 = boto3.client("s3", **options)

    def drop(self, path: Path, *, partner: str, layout: str, name: str | None = None, sent: Sent | None = None) -> Drop:
        """Upload a file, after its sidecar if one lies beside it.

        Raises InvalidInput for a name that the hub would leave alone for ever, Unavailable when S3 does not take it.
        """
        from boto3.exceptions import Boto3Error
        from botocore.exceptions import BotoCoreError, ClientError

        from chalicelib.files.intake.arrivals import is_sidecar, is_temporary

        key = f"{partner}/{layout}/{name or path.name}"
        if is_temporary(key) or is_sidecar(key):
            raise InvalidInput(
                f"{key.rpartition('/')[2]} is the name of a file that is still being written, or of a sidecar: the hub"
                " leaves it alone. Give the file its final name, or use --name.",
                code="name_left_alone",
            )
        before = frozenset(one["id"] for one in self._arrivals(key))
        drop = Drop(key, before, datetime.now(UTC))
        bucket = settings().bucket("hub-in")
        try:
            for sidecar in sidecars(path):
                self._s3.upload_file(str(sidecar), bucket, _renamed(key, path, sidecar))
            self._s3.upload_file(str(path), bucket, key, Callback=sent)
        except (Boto3Error, BotoCoreError, ClientError) as error:
            raise Unavailable(f"{path} could not be uploaded: {error}", code="upload_failed") from error
        return drop

    def follow(self, drop: Drop, seen: Seen | None = None) -> Finished:
        """Wait for the receipt. Raises NotFound when the hub does not notice the file, Unavailable when it is slow."""
        begun = answered = time.monotonic()
        pause_s = _POLL_S
        while time.monotonic() - begun < _FINISHED_S:
            try:
                file = self._arrival(drop, patient=time.monotonic() - begun < _UNREGISTERED_S)
                answered = time.monotonic()
            except Unavailable:
                # The file lies in the inbox: a hub that is being started again goes on with it.
                if time.monotonic() - answered > _SILENT_S:
                    raise
                file = None
            if file is None and time.monotonic() - begun > _NOTICED_S:
                raise NotFound(
                    f"The hub has not noticed {drop.key}: do its workers run, and is the name not a temporary one?",
                    code="file_unnoticed",
                )
            if file is not None and seen is not None:
                seen(file)
            if file is not None and file["finished_at"] is not None:
                return Finished(file, self._receipt(file))
            time.sleep(pause_s)
            pause_s = min(pause_s * _POLL_GROWTH, _POLL_MAX_S)
        raise Unavailable(f"{drop.key} is not finished after {_FINISHED_S:g} s.", code="file_unfinished")

    def rejects(self, finished: Finished) -> list[dict[str, Any]]:
        """The first rows that were refused, with the reason of each."""
        if not finished.file["rows"]["rejected"]:
            return []
        page: dict[str, Any] = self._client.get(f"/v1/files/{finished.file['id']}/errors", limit=_REJECTS_SHOWN)
        found: list[dict[str, Any]] = page["items"]
        return found

    def _arrivals(self, key: str) -> list[dict[str, Any]]:
        page: dict[str, Any] = self._client.get("/v1/files", object_key=key)
        found: list[dict[str, Any]] = page["items"]
        return found

    def _arrival(self, drop: Drop, *, patient: bool) -> dict[str, Any] | None:
        for one in self._arrivals(drop.key):
            if one["id"] not in drop.seen_before:
                return one
            # S3 tells the same content sent twice within a second apart by nothing: then there is one arrival.
            if not patient and datetime.fromisoformat(one["arrived_at"]) >= drop.begun - _SAME_SECOND:
                return one
        return None

    def _receipt(self, file: Mapping[str, Any]) -> dict[str, Any]:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            answer = self._s3.get_object(Bucket=settings().bucket("hub-out"), Key=file["receipt_key"])
            receipt: dict[str, Any] = json.load(answer["Body"])
        except (BotoCoreError, ClientError) as error:
            raise Unavailable(
                f"The receipt {file['receipt_key']} cannot be read: {error}", code="no_receipt"
            ) from error
        return receipt


def receipts_table(finished: list[Finished]) -> Table:
    """One row a file: its name over where it was dropped, the points over their program; fits 80 columns."""
    table = Table(title="Receipts", title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("file", min_width=_NAME_WIDTH_MIN, overflow="ellipsis")
    table.add_column("status", no_wrap=True, min_width=_STATUS_WIDTH_MIN)
    for column in ("rows", "accepted", "rejected", "other", "points"):
        # A long name gives way, the figures do not.
        table.add_column(
            column, justify="right", no_wrap=True, min_width=_POINTS_WIDTH_MIN if column == "points" else len(column)
        )
    for one in finished:
        receipt = one.receipt
        other = None
        if receipt.get("rows_total") is not None:
            other = receipt["rows_duplicate"] + receipt["rows_ignored"]
        folder, _, name = receipt["object_key"].rpartition("/")
        programs = receipt.get("programs") or ()
        table.add_row(
            Text(name).append(f"\n{folder}", style="dim"),
            receipt["status"],
            *(_cell(value) for value in (receipt.get("rows_total"), receipt.get("rows_accepted"))),
            *(_cell(value) for value in (receipt.get("rows_rejected"), other)),
            Text("\n").join(Text(of["points_posted"]).append(f"\n{of['program_code']}", "dim") for of in programs),
            style="" if one.well else "yellow",
        )
    return table


def receipt_list(finished: Finished) -> Table:
    """Everything that one receipt says, a line each."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in finished.receipt.items():
        shown = _points(finished.receipt) if name == "programs" else _cell(value)
        if shown:
            style = "yellow" if name in {"status", "reason", "rows_rejected"} and not finished.well else ""
            table.add_row(name.replace("_", " "), Text(shown, style=style))
    return table


def rejects_table(rejected: Sequence[Mapping[str, Any]], finished: Finished) -> Group:
    """The first refused rows, and where all of them are."""
    count, kept = finished.file["rows"]["rejected"], finished.file["rejects_key"]
    title = Text(f"\n{len(rejected)} of {count} refused rows; all are in hub-out/{kept}", style="bold")
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("row", justify="right", no_wrap=True)
    table.add_column("code", no_wrap=True)
    table.add_column("column", no_wrap=True)
    table.add_column("why", overflow="fold")
    for one in rejected:
        table.add_row(str(one["row_no"]), one["code"], _cell(one["column"]), Text(_cell(one["message"])))
    return Group(title, table)


def _points(receipt: Mapping[str, Any]) -> str:
    return ", ".join(f"{of['points_posted']} {of['program_code']}" for of in receipt.get("programs") or ())


def _cell(value: object) -> str:
    if isinstance(value, list):
        return "\n".join(map(str, value))
    return "" if value is None else str(value)


def sidecars(path: Path) -> list[Path]:
    """The sidecar that lies beside a data file, if one does: of ``pay.csv``, ``pay.csv.ctl`` before ``pay.ctl``."""
    stems = [path.name]
    while "." in stems[-1]:
        stems.append(stems[-1].rpartition(".")[0])
    found = [path.with_name(stem + _SIDECAR) for stem in stems]
    return [one for one in found if one.exists()][:1]


def _renamed(key: str, path: Path, sidecar: Path) -> str:
    """The sidecar's key: as far from the data file's name as it is on disk."""
    kept = sidecar.name.removesuffix(_SIDECAR)
    lost = path.name.removeprefix(kept)
    return key.removesuffix(lost) + _SIDECAR
