"""Files, rows, layouts and lineage as callers see them."""

import csv
import io

import pytest

from chalicelib.access.scopes import Scope
from chalicelib.deliveries import wake
from chalicelib.partners.members.members import by_employee
from chalicelib.points.ledger.history import entries
from chalicelib.storage.ids import public_id
from tests.factories import partners
from tests.factories.access import make_partner_key
from tests.factories.files import Hub, hours, make_hub, people, person


@pytest.fixture
def hub(database, aws) -> Hub:
    wake.reset()
    return make_hub(database)


@pytest.fixture
def key(hub) -> str:
    with hub.database.write() as db:
        return make_partner_key(db, hub.partner.id)[1]


@pytest.fixture
def blind_key(hub) -> str:
    with hub.database.write() as db:
        return make_partner_key(db, hub.partner.id, scopes={Scope.FILES_READ, Scope.LEDGER_READ})[1]


@pytest.fixture
def other_key(hub) -> str:
    with hub.database.write() as db:
        return make_partner_key(db, partners.make_partner(db).id)[1]


class TestFiles:
    def test_a_file_is_found_by_its_key(self, api, hub, key):
        file = hub.process("hours", hours("a,E1,2026-11-02,8", "b,E9,2026-11-02,8"))
        hub.process("hours", hours("c,E1,2026-11-03,8"), name="other.csv")

        listed = api.get("/v1/files", key=key, params={"object_key": "acme/hours/file.csv"})

        [shown] = listed.json["items"]
        assert (shown["id"], shown["state"]) == (file.public_id, "processed")
        assert shown["rows"] == {"total": 2, "done": 2, "accepted": 1, "rejected": 1, "duplicate": 0, "ignored": 0}
        assert shown["receipt_key"] == "acme/hours/receipt_file.csv.json"
        assert shown["rejects_key"] == "acme/hours/rejects_file.csv"

    def test_pages_go_on_where_they_ended(self, api, hub, key):
        for number in range(3):
            hub.process("hours", hours(f"{number},E1,2026-11-02,8"), name=f"{number}.csv")

        first = api.get("/v1/files", key=key, params={"limit": 2}).json
        second = api.get("/v1/files", key=key, params={"limit": 2, "cursor": first["next_cursor"]}).json

        assert [shown["name"] for shown in first["items"] + second["items"]] == ["2.csv", "1.csv", "0.csv"]
        assert second["next_cursor"] is None

    @pytest.mark.parametrize(
        ("filters", "found"),
        [
            ({"state": "quarantined"}, ["bad.csv"]),
            ({"layout": "people"}, ["crew.csv"]),
            ({"name": "good.csv"}, ["good.csv"]),
            ({"partner_id": "acme", "state": "processed"}, ["crew.csv", "good.csv"]),
        ],
    )
    def test_a_list_shows_what_is_asked_for(self, api, hub, key, filters, found):
        hub.process("hours", hours("a,E1,2026-11-02,8"), name="good.csv")
        hub.process("hours", b"nonsense", name="bad.csv")
        hub.process("people", people(person("E9")), name="crew.csv")

        assert [shown["name"] for shown in api.get("/v1/files", key=key, params=filters).json["items"]] == found

    def test_a_refused_file_says_why(self, api, hub, key):
        file = hub.process("hours", b"nonsense")

        shown = api.get(f"/v1/files/{file.public_id}", key=key).json

        assert (shown["state"], shown["reason_code"]) == ("quarantined", "wrong_header")
        assert shown["layout_version"] == "acme.hours/1"

    def test_figures_add_up(self, api, hub, key):
        file = hub.process("hours", hours("a,E1,2026-11-02,8", "b,E9,2026-11-02,7", trailer="#TRAILER,2,15"))

        shown = api.get(f"/v1/files/{file.public_id}/reconciliation", key=key).json

        assert (shown["balanced"], shown["breaks"]) == (True, [])
        assert shown["control"] == {
            "read": "15", "accepted": "8", "rejected": "7", "duplicate": "0", "ignored": "0", "unreadable": 0,
        }  # fmt: skip
        [program] = shown["programs"]
        assert (program["points_in"], program["points_posted"]) == ("12.00", "12.00")

    @pytest.mark.parametrize("part", ["", "/rows", "/errors", "/reconciliation"])
    def test_another_partners_file_is_not_there(self, api, hub, other_key, part):
        file = hub.process("hours", hours("a,E1,2026-11-02,8"))

        assert api.get(f"/v1/files/{file.public_id}{part}", key=other_key).status == 404
        assert api.get("/v1/files", key=other_key).json["items"] == []


class TestRows:
    def test_every_row_has_an_outcome(self, api, hub, key):
        rows = ["a,E1,2026-11-02,8", "b,E9,2026-11-02,8", "a,E1,2026-11-02,8", "c,E1,2026-11-02,-", "d,E2,2026-11-02,8"]
        file = hub.process("hours", hours(*rows))

        shown = api.get(f"/v1/files/{file.public_id}/rows", key=key).json["items"]

        assert [(row["row_no"], row["outcome"]) for row in shown] == [
            (1, "accepted"), (2, "rejected"), (3, "duplicate"), (4, "ignored"), (5, "accepted"),
        ]  # fmt: skip
        assert shown[0]["accrual_id"].startswith("acr_")
        assert shown[1]["fixable"] is True

    def test_pages_hold_each_row_once(self, api, hub, key):
        file = hub.process("hours", hours(*[f"{n},E{1 + n % 5},2026-11-02,8" for n in range(9)]))
        path, seen, cursor = f"/v1/files/{file.public_id}/rows", [], None
        for _ in range(5):
            page = api.get(path, key=key, params={"limit": 2, "cursor": cursor}).json
            seen += [row["row_no"] for row in page["items"]]
            cursor = page["next_cursor"]

        assert cursor is None
        assert seen == list(range(1, 10))

    def test_of_one_outcome_leave_out_the_others(self, api, hub, key):
        file = hub.process("people", people(person("E8"), person("E9", hired="x")))

        accepted = api.get(f"/v1/files/{file.public_id}/rows", key=key, params={"outcome": "accepted"}).json["items"]

        assert [row["row_no"] for row in accepted] == [1]


class TestErrors:
    def test_show_the_row_and_the_reason(self, api, hub, key):
        file = hub.process("people", people(person("E9", hired="x")))

        [error] = api.get(f"/v1/files/{file.public_id}/errors", key=key).json["items"]

        assert (error["row_no"], error["code"], error["column"]) == (1, "bad_date", "hired")
        assert error["cells"]["last"] == "Haze"

    @pytest.mark.parametrize("rows", [[person("E9", hired="x")], [f"{person('E9')},Humbert"]])
    def test_mask_what_is_personal(self, api, hub, blind_key, rows):
        file = hub.process("people", people(*rows))

        shown = api.get(f"/v1/files/{file.public_id}/errors", key=blind_key)
        as_csv = api.get(f"/v1/files/{file.public_id}/errors", key=blind_key, params={"format": "csv"})

        assert shown.json["items"][0]["cells"]["last"] == "***"
        for text in (shown.text, as_csv.text):
            assert "Haze" not in text
            assert "Humbert" not in text

    @pytest.mark.parametrize("options", [{"params": {"format": "csv"}}, {"headers": {"Accept": "text/csv"}}])
    def test_come_as_csv_too(self, api, hub, key, options):
        file = hub.process("hours", hours("a,E1,2026-11-02,8", "b,E9,2026-11-02,8"))

        answered = api.get(f"/v1/files/{file.public_id}/errors", key=key, **options)

        assert answered.headers["Content-Type"].startswith("text/csv")
        [row] = csv.DictReader(io.StringIO(answered.text))
        assert (row["event"], row["error_code"], row["row_no"]) == ("b", "unknown_member", "2")

    def test_of_a_clean_file_are_none(self, api, hub, key):
        file = hub.process("hours", hours("a,E1,2026-11-02,8"))

        assert api.get(f"/v1/files/{file.public_id}/errors", key=key).json["items"] == []
        assert api.get(f"/v1/files/{file.public_id}/errors", key=key, params={"format": "csv"}).status == 404


class TestLayouts:
    @pytest.mark.usefixtures("hub")
    def test_lists_own_and_shared_ones(self, api, key, other_key):
        own = api.get("/v1/file-layouts", key=key).json["items"]

        assert [(shown["id"], shown["name"], shown["rank"]) for shown in own] == [
            ("acme.hours", "hours", 20),
            ("acme.people", "people", 10),
        ]
        assert api.get("/v1/file-layouts", key=other_key).json["items"] == []

    @pytest.mark.usefixtures("hub")
    def test_a_template_shows_columns_and_control(self, api, key):
        shown = api.get("/v1/file-layouts/acme.hours/template", key=key).json

        assert shown["csv"].splitlines()[0] == "day,event,hours,id,note,partner"
        assert shown["control"]["example"] == "#TRAILER,<rows>,<sum>"
        assert shown["columns"][2] == {
            "header": "hours", "required": True, "may_be_empty": False, "personal": False, "description": "",
            "feeds": ["quantity"],
        }  # fmt: skip

    @pytest.mark.usefixtures("hub")
    def test_another_partners_template_is_not_there(self, api, other_key):
        assert api.get("/v1/file-layouts/acme.hours/template", key=other_key).status == 404


class TestLineage:
    @pytest.fixture
    def entry(self, hub) -> str:
        hub.process("hours", hours("a,E1,2026-11-02,8", '"b",E2,2026-11-02,7.5'))
        with hub.database.read() as db:
            member = by_employee(db, hub.partner.id, ["E2"])["E2"]
            [found] = entries(db, member.id, before_seq=None, limit=2)
        return public_id("trf", found.id)

    def test_leads_back_to_the_raw_row(self, api, hub, key, entry):
        shown = api.get(f"/v1/ledger/entries/{entry}/lineage", key=key, params={"recompute": "true"}).json

        source = shown["decided"]["source"]
        assert (source["file_name"], source["row_no"], source["raw"]) == ("file.csv", 2, '"b",E2,2026-11-02,7.5')
        assert source["sha256"] == (hub.file().sha256 or b"").hex()
        assert (shown["decided"]["recomputed"], shown["decided"]["agrees"]) == ("11.25", True)
        assert shown["decided"]["rule"]["ruleset"] == "acme.accrual"

    def test_another_partners_entry_is_not_there(self, api, other_key, entry):
        assert api.get(f"/v1/ledger/entries/{entry}/lineage", key=other_key).status == 404
