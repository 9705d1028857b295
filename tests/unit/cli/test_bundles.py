import json
from pathlib import Path

import pytest

from chalicelib.errors import Fault, InvalidInput, Unprocessable
from cli import bundles


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("partners", "layouts", "rulesets", "code-tables"):
        (tmp_path / name).mkdir()
    write(tmp_path / "partners/acme.json", {"code": "acme"})
    write(tmp_path / "partners/other.json", {"code": "other"})
    return tmp_path


def write(path: Path, document: object) -> None:
    path.write_text(json.dumps(document))


class TestGather:
    def test_gives_each_partner_its_own_documents_and_the_shared_ones(self, folder: Path):
        write(folder / "layouts/hr_roster.json", {"id": "hr_roster", "partner": None})
        write(folder / "layouts/acme.pay.json", {"id": "acme.pay", "partner": "acme"})
        write(folder / "rulesets/other.accrual.json", {"id": "other.accrual", "partner": "other"})

        first, second = bundles.gather(folder)
        acme, other = json.loads(first.text), json.loads(second.text)

        assert (first.partner, acme["manifest"]) == ("acme", {"code": "acme"})
        assert [one["id"] for one in acme["layouts"]] == ["acme.pay", "hr_roster"]
        assert [one["id"] for one in other["layouts"]] == ["hr_roster"]
        assert acme["rulesets"] == []
        assert [one["id"] for one in other["rulesets"]] == ["other.accrual"]
        assert acme["code_tables"] == []

    def test_sends_every_number_digit_by_digit(self, folder: Path):
        (folder / "rulesets/acme.accrual.json").write_text(
            '{"id": "acme.accrual", "partner": "acme", "let": {"rate": {"+": [1.10, 0.1234567890123456789]}}}'
        )

        bundle, _ = bundles.gather(folder)

        assert '{"+": [1.10, 0.1234567890123456789]}' in bundle.text

    def test_tells_in_which_file_a_refused_place_is(self, folder: Path):
        write(folder / "layouts/acme.pay.json", {"id": "acme.pay", "partner": "acme"})
        for number in range(11):
            write(folder / f"rulesets/other.{number:02}.json", {"id": str(number), "partner": "other"})
        refusal = Unprocessable(
            "Refused.",
            code="bundle_refused",
            faults=[
                Fault("/manifest/code", "a", "A"),
                Fault("/rulesets/10/let/rate", "b", "B"),
                Fault("/odd", "c", "C"),
            ],
        )

        _, other = bundles.gather(folder)
        located = other.located(refusal)

        assert (type(located), located.message, located.code) == (Unprocessable, "Refused.", "bundle_refused")
        assert [(fault.pointer, fault.code, fault.message) for fault in located.faults] == [
            ("partners/other.json#/code", "a", "A"),
            ("rulesets/other.10.json#/let/rate", "b", "B"),
            ("/odd", "c", "C"),
        ]

    def test_names_every_file_that_it_cannot_read(self, folder: Path):
        (folder / "layouts/broken.json").write_text("{")
        (folder / "rulesets/list.json").write_text("[]")
        (folder / "rulesets/twice.json").write_text('{"let": {"rate": 1, "rate": 2}}')
        (folder / "rulesets/latin.json").write_bytes(b'"\xe4"')
        write(folder / "code-tables/lost.json", {"id": "lost", "partner": "nobody"})

        with pytest.raises(InvalidInput) as refused:
            bundles.gather(folder)

        assert {(Path(one.pointer).name, one.code) for one in refused.value.faults} == {
            ("broken.json", "not_json"),
            ("latin.json", "not_json"),
            ("rate", "repeated_name"),
            ("list.json", "not_an_object"),
            ("lost.json", "unknown_partner"),
        }

    def test_leaves_pipelines_out_also_those_that_it_cannot_read(self, folder: Path):
        before = [bundle.text for bundle in bundles.gather(folder)]
        (folder / "pipelines").mkdir()
        (folder / "pipelines/order.json").write_text("{")
        (folder / "pipelines/lead.json").write_text('{"id": "lead"}')

        assert [bundle.text for bundle in bundles.gather(folder)] == before
        assert "lead" not in bundles.read(folder).configuration().text

    def test_refuses_a_folder_without_manifests(self, tmp_path: Path):
        with pytest.raises(InvalidInput) as refused:
            bundles.gather(tmp_path)

        assert [one.code for one in refused.value.faults] == ["no_manifest"]
