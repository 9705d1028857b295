"""The samples of the first start, so that there is something to look at: the store's customers, the partners' files."""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from chalicelib.errors import Unavailable
from cli.client import HubClient, segment
from cli.files import Finished, Inbox, receipts_table

_LARGEST = 10
_SIDE_BY_SIDE = 8
_DATA = (".csv", ".csv.gz")
_STORE_TIMEOUT_S = 10.0


def open_store(url: str, folder: Path) -> None:
    """Give the stand-in of the store its customers: a real one has them before a hub tells it of anybody's points.

    Customers that it has already stay as they are. Raises Unavailable.
    """
    customers = json.loads((folder / "commerce-cloud" / "customers.json").read_text())
    try:
        with httpx.Client(base_url=url, timeout=_STORE_TIMEOUT_S, trust_env=False) as store:
            known = {customer["customerNo"] for customer in store.get("/_customers").raise_for_status().json()}
            missing = [customer for customer in customers if customer["customerNo"] not in known]
            store.post("/_seed", json=missing).raise_for_status()
    except httpx.HTTPError as error:
        raise Unavailable("The stand-in of Commerce Cloud does not take its sample customers.") from error


def process(console: Console, client: HubClient, s3_options: Mapping[str, str], folder: Path) -> None:
    """Drop every file of ``<partner>/<layout>/``, wait for the receipts, and show them with the largest balances.

    Files wait for those that come before them, so the figures are the same at every first start, and final.
    """
    inbox = Inbox(client, s3_options)
    ranks = {(one["partner_id"], one["name"]): one["rank"] for one in client.items("/v1/file-layouts", limit=200)}
    paths = [path for path in folder.glob("*/*/*") if path.name.endswith(_DATA)]
    partners = {code: client.get(f"/v1/partners/{segment(code)}")["id"] for code in {_partner(path) for path in paths}}

    def rank(path: Path) -> int:
        shared = ranks.get((None, path.parent.name), 0)
        return int(ranks.get((partners[_partner(path)], path.parent.name), shared))

    finished: dict[Path, Finished] = {}
    with console.status("Processing samples/ …"):
        for together in in_turns(paths, rank):
            drops = [inbox.drop(path, partner=_partner(path), layout=path.parent.name) for path in together]
            finished |= {path: inbox.follow(drop) for path, drop in zip(together, drops, strict=True)}
    if finished:
        console.print(receipts_table([finished[path] for path in sorted(paths, key=lambda path: (rank(path), path))]))
        console.print(_balances(client, sorted(partners)))


def in_turns(paths: Iterable[Path], rank: Callable[[Path], int]) -> list[list[Path]]:
    """Files that may be dropped at once: of one rank, and one of each partner.

    The hub takes files in the order in which it hears of them, and S3 tells it in any. Hours before their roster are
    refused, and tried again later: right in the end, but a receipt read in between says something else. A row of the
    retailer's own files may be about another partner's people, so ranks are kept across partners.
    """
    turns: dict[tuple[int, int], list[Path]] = defaultdict(list)
    of_partner: Counter[tuple[int, str]] = Counter()
    for path in sorted(paths):
        key = (rank(path), _partner(path))
        turns[key[0], of_partner[key]].append(path)
        of_partner[key] += 1
    return [turns[turn] for turn in sorted(turns)]


def _partner(path: Path) -> str:
    return path.parent.parent.name


def _balances(client: HubClient, partners: list[str]) -> Table:
    members = [(code, one) for code in partners for one in client.items("/v1/members", partner_id=code, limit=200)]

    def of(member: tuple[str, dict[str, Any]]) -> list[tuple[Decimal, str, str, str]]:
        code, one = member
        found = client.get(f"/v1/members/{segment(one['id'])}/balance")["balances"]
        return [(Decimal(each["available"]), code, one["employee_id"], each["program"]) for each in found]

    with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
        largest = sorted((each for found in pool.map(of, members) for each in found), reverse=True)[:_LARGEST]
    table = Table(title=f"The {_LARGEST} largest balances", title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in ("partner", "employee", "program"):
        table.add_column(column)
    table.add_column("available", justify="right")
    for available, code, employee_id, program in largest:
        table.add_row(code, employee_id, program, str(available))
    return table
