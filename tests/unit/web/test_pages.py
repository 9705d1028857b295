"""Pages: a list is read to its end, and a cursor belongs to the list that gave it."""

import base64
from hashlib import sha256

import pytest
from pydantic import Field

from chalicelib.access.scopes import Scope
from chalicelib.web import pages
from chalicelib.web.call import Call
from chalicelib.web.endpoint import endpoint
from chalicelib.web.pages import Page, PageQuery
from chalicelib.web.paths import PartnerId
from chalicelib.web.shapes import View
from tests.factories.access import make_partner_key, make_user_key

PARTNER, OTHER = b"p" * 16, b"q" * 16
THINGS = [(f"name {number}", bytes([number]) * 16, number) for number in range(7)]


class Filter(PageQuery):
    colour: str | None = Field(None, description="Its colour.")


class Thing(View):
    name: str


@pytest.fixture
def database(sqlite_database):
    """One engine is enough: nothing here depends on it."""
    return sqlite_database


@pytest.fixture
def bench(bench, database):
    @endpoint(bench.blueprint, "GET /v1/things", scope=Scope.MEMBERS_READ)
    def things(call: Call, query: Filter) -> Page[Thing]:
        """List things."""
        return listed(call, query)

    @endpoint(bench.blueprint, "GET /v1/boxes/{box}/things", scope=Scope.MEMBERS_READ)
    def boxed(call: Call, box: PartnerId, query: Filter) -> Page[Thing]:
        """List things in a box."""
        return listed(call, query)

    @endpoint(bench.blueprint, "GET /v1/by-id", scope=Scope.MEMBERS_READ)
    def by_id(call: Call, query: PageQuery) -> Page[Thing]:
        """List by id."""
        after = pages.after_id(call, query)
        rows = [thing for thing in THINGS if after is None or thing[1] > after]
        return pages.page(call, query, rows[: query.limit + 1], view=shown, position=lambda row: (row[1],))

    @endpoint(bench.blueprint, "GET /v1/by-seq", scope=Scope.MEMBERS_READ)
    def by_seq(call: Call, query: PageQuery) -> Page[Thing]:
        """List by number."""
        after = pages.after_seq(call, query)
        rows = [thing for thing in THINGS if after is None or thing[2] > after]
        return pages.page(call, query, rows[: query.limit + 1], view=shown, position=lambda row: (row[2],))

    @endpoint(bench.blueprint, "GET /v1/by-text", scope=Scope.MEMBERS_READ)
    def by_text(call: Call, query: PageQuery) -> Page[Thing]:
        """List by name."""
        after = pages.after_text(call, query)
        rows = [thing for thing in THINGS if after is None or thing[0] > after]
        return pages.page(call, query, rows[: query.limit + 1], view=shown, position=lambda row: (row[0],))

    with database.write() as db:
        bench.key = make_partner_key(db, PARTNER)[1]
        bench.other_key = make_partner_key(db, OTHER)[1]
        bench.operator_key = make_user_key(db)[1]
    return bench


def shown(row):
    return Thing(name=row[0])


def listed(call, query):
    after = pages.position(call, query)
    rows = [thing for thing in THINGS if after is None or thing > after]
    return pages.page(call, query, rows[: query.limit + 1], view=shown, position=lambda row: row)


def get(bench, path="/v1/things", key=None, **params):
    return bench.api.get(path, key=key or bench.key, params=params)


class TestReadingOn:
    @pytest.mark.parametrize("path", ["/v1/things", "/v1/boxes/a/things", "/v1/by-id", "/v1/by-seq", "/v1/by-text"])
    @pytest.mark.parametrize("limit", [1, 3, 6, 7, 8])
    def test_gives_every_item_once(self, bench, path, limit):
        names, cursor = [], None
        for _ in range(10):
            page = get(bench, path, limit=limit, cursor=cursor).json
            names += [item["name"] for item in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert names == [name for name, _, _ in THINGS]

    def test_the_page_size_may_change_on_the_way(self, bench):
        cursor = get(bench, limit=2).json["next_cursor"]
        assert len(get(bench, limit=5, cursor=cursor).json["items"]) == 5


class TestForeignCursors:
    @pytest.mark.parametrize("change", ["route", "path", "filter", "partner", "operator"])
    def test_one_of_another_list_filter_or_caller_is_refused(self, bench, change):
        cursor = get(bench, "/v1/boxes/a/things", limit=2, colour="red").json["next_cursor"]
        path, key, params = "/v1/boxes/a/things", bench.key, {"colour": "red"}
        match change:
            case "route":
                path = "/v1/things"
            case "path":
                path = "/v1/boxes/b/things"
            case "filter":
                params = {"colour": "blue"}
            case "partner":
                key = bench.other_key
            case "operator":
                key = bench.operator_key
        answer = get(bench, path, key, cursor=cursor, **params)
        assert (answer.status, answer.code) == (400, "cursor_foreign")

    @pytest.mark.parametrize("at", range(0, 60, 7))
    def test_an_altered_one_is_refused(self, bench, at):
        cursor = get(bench, limit=2).json["next_cursor"]
        at %= len(cursor) - 1
        altered = cursor[:at] + ("A" if cursor[at] != "A" else "B") + cursor[at + 1 :]
        assert get(bench, cursor=altered).code == "cursor_foreign"

    @pytest.mark.parametrize("cursor", ["", "x", "%%%%", "ä", base64.urlsafe_b64encode(b"[1]" * 20).decode()])
    def test_any_other_text_is_refused(self, bench, cursor):
        assert get(bench, cursor=cursor).code == "cursor_foreign"

    @pytest.mark.parametrize("path", ["/v1/by-id", "/v1/by-seq", "/v1/by-text"])
    @pytest.mark.parametrize(
        "behind", [b"\xff", b"[]", b"5", b"{}", b'[{"b":"zz"}]', b'[{"c":1}]', b"[9999999999999999999999]", b"[null]"]
    )
    def test_one_with_a_right_checksum_over_anything_else_is_refused(self, bench, path, behind):
        filters = PageQuery().model_dump_json(exclude={"cursor", "limit"})
        signed = b"\n".join((f"GET {path} {{}}".encode(), filters.encode(), PARTNER.hex().encode(), behind))
        cursor = base64.urlsafe_b64encode(sha256(signed).digest()[:9] + behind).decode().rstrip("=")

        answer = get(bench, path, cursor=cursor)
        assert (answer.status, answer.code) == (400, "cursor_foreign")
