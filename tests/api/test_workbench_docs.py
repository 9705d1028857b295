"""docs/workbench.md is a walk through the life of a rule: every request in it is sent, every answer compared."""

import copy
import json
import re
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import pytest

from chalicelib.access.scopes import Role
from chalicelib.settings import settings
from chalicelib.storage.ids import public_id, raw_id
from chalicelib.workbench import backtests as room
from tests.factories import backtests
from tests.factories.access import make_user, make_user_key
from tests.factories.partners import make_member, make_partner, make_program
from tests.factories.points import event, record
from tests.factories.rules import live_ruleset

DOC = Path(__file__).parents[2] / "docs" / "workbench.md"
_BLOCK = re.compile(r"^```(json|http)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_ID = re.compile(r"(acr|bkt|usr|rsv|par|prg|mbr|key)_[0-9a-hjkmnp-tv-z]{26}")
_HASH = re.compile(r"[0-9a-f]{64}")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z")
#: What a list or an object of the page leaves out.
_MORE = "…"

pytestmark = pytest.mark.usefixtures("data_key", "aws")


class Exchange(NamedTuple):
    """One request of the page and the answer that it shows. ``who`` sends it; ``worker`` stands for what runs jobs."""

    who: str
    method: str
    path: str
    body: Any
    status: int
    answer: Any


def exchanges(text: str) -> Iterator[Exchange]:
    for kind, block in _BLOCK.findall(text):
        if kind == "http":
            asked, _, answered = block.partition("\n\n")
            line, _, body = asked.partition("\n")
            who, method, path = line.split(" ")
            status, _, answer = answered.partition("\n")
            yield Exchange(
                who.rstrip(":"),
                method,
                path,
                json.loads(body) if body.strip() else None,
                int(status),
                json.loads(answer) if answer.strip() else None,
            )


class Walk:
    """Sends what the page says, with the ids of this hub in place of the page's."""

    def __init__(self, api, keys: dict[str, str], rule: dict[str, Any]) -> None:
        self.api = api
        self.keys = keys
        self.rule = rule
        #: Ids and hashes: the page's -> ours.
        self.known: dict[str, str] = {}
        self.sent = 0

    def ours(self, text: str) -> str:
        for theirs, mine in self.known.items():
            text = text.replace(theirs, mine)
        return text

    def send(self, exchange: Exchange):
        body = None if exchange.body is None else json.loads(self.ours(json.dumps(exchange.body)))
        if body is not None and "document" in body:
            body = {"document": self.changed(body["document"])}
        path, _, query = self.ours(exchange.path).partition("?")
        self.sent += 1
        headers = {"Idempotency-Key": f"walk-{self.sent}"} if path.endswith("/backtests") else {}
        key = self.keys[exchange.who]
        return self.api.request(
            exchange.method, path, params=dict(parse_qsl(query)), body=body, key=key, headers=headers
        )

    def changed(self, changes: dict[str, Any]) -> dict[str, Any]:
        """The page's rule with other values at some pointers."""
        document = copy.deepcopy(self.rule)
        for pointer, value in changes.items():
            if pointer != _MORE:
                place: Any = document
                *way, last = pointer.strip("/").split("/")
                for step in way:
                    place = place[int(step)] if isinstance(place, list) else place[step]
                place[int(last) if isinstance(place, list) else last] = value
        return document

    def compare(self, shown: Any, found: Any, at: str) -> None:
        """Fail where the answer is not as it is shown; what is shown may leave out fields, and the end of lists."""
        match shown:
            case dict():
                assert isinstance(found, dict), at
                for name, value in shown.items():
                    if name != _MORE:
                        assert name in found, f"{at}/{name}"
                        self.compare(value, found[name], f"{at}/{name}")
            case list():
                assert isinstance(found, list), at
                whole = _MORE not in shown
                told = [value for value in shown if value != _MORE]
                assert len(found) == len(told) if whole else len(found) >= len(told), f"{at}: {found}"
                for index, value in enumerate(told):
                    self.compare(value, found[index], f"{at}/{index}")
            case str():
                self.same_text(shown, found, at)
            case _:
                assert shown == found, at

    def same_text(self, shown: str, found: Any, at: str) -> None:
        assert isinstance(found, str), f"{at}: {found}"
        for form in (_ID, _HASH):
            if form.fullmatch(shown):
                assert form.fullmatch(found), f"{at}: {found}"
                assert shown[:4] == found[:4] or form is _HASH
                assert self.known.setdefault(shown, found) == found, at
                return
        if _MOMENT.fullmatch(shown):
            assert _MOMENT.fullmatch(found), f"{at}: {found}"
        elif shown.endswith(_MORE):
            assert found.startswith(shown[:-1]), f"{at}: {found}"
        else:
            assert shown == found, at


@pytest.fixture
def text() -> str:
    return DOC.read_text()


@pytest.fixture
def walk(api, database, text, monkeypatch) -> Iterator[Walk]:
    """Acme, whose first rule is the page's first JSON block, and what its people earned in November."""
    first = next(json.loads(block) for kind, block in _BLOCK.findall(text) if kind == "json")
    with database.write() as db:
        partner = make_partner(db, "acme")
        live_ruleset(db, partner.id, first)
        make_program(db, partner)
        make_member(db, partner, "E1", hire_date=date(2023, 6, 1))
        make_member(db, partner, "E2", hire_date=date(2026, 3, 1))
        later = event(event_id="n-3", quantity=Decimal(8), event_date=date(2026, 11, 9))
        # Of one batch the order is that of the event ids.
        record(db, partner, [event(event_id="n-1"), event(event_id="n-2", employee_id="E2"), later])
        keys = {
            "author": make_user_key(db, user=make_user(db))[1],
            "approver": make_user_key(db, Role.APPROVER)[1],
        }
    monkeypatch.setenv("INTERLINE_RULE_APPROVAL", "required")
    settings.cache_clear()
    yield Walk(api, keys, first)
    monkeypatch.undo()
    settings.cache_clear()


def test_every_request_is_answered_as_the_page_shows(walk, database, text, edge_clock):
    found = list(exchanges(text))
    assert len(found) >= 12, "the page has the whole life"

    for exchange in found:
        answer = walk.send(exchange)
        name = f"{exchange.who} {exchange.method} {exchange.path}"
        assert answer.status == exchange.status, f"{name}: {answer.text}"
        walk.compare(exchange.answer, answer.json, name)
        if exchange.path.endswith("/backtests"):
            # What a worker does.
            with database.read() as db:
                waiting = room.load(db, raw_id("bkt", answer.json["id"]))
            backtests.finish(database, waiting, clock=lambda: edge_clock.now)
        edge_clock.now += timedelta(minutes=1)


def test_the_page_names_every_gate(text):
    for code in (
        "case_failed", "no_cases", "not_covered", "conflicting_rulesets", "approval_required", "approval_void",
        "own_approval", "not_an_approver", "backtest_missing", "gates_closed", "nothing_to_roll_back",
        "backtest_not_named", "backtest_outdated", "other_backtest", "key_from_author", "key_given_to_author",
    ):  # fmt: skip
        assert f"`{code}`" in text, code


def test_ids_are_written_as_ids():
    assert _ID.fullmatch(public_id("acr", bytes(16)))
