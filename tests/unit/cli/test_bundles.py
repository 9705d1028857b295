import json
from pathlib import Path

import pytest

from chalicelib.errors import InvalidInput
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

        acme, other = bundles.gather(folder)

        assert (acme.partner, acme.document["manifest"]) == ("acme", {"code": "acme"})
        assert [one["id"] for one in acme.document["layouts"]] == ["acme.pay", "hr_roster"]
        assert [one["id"] for one in other.document["layouts"]] == ["hr_roster"]
        assert acme.document["rulesets"] == []
        assert [one["id"] for one in other.document["rulesets"]] == ["other.accrual"]
        assert acme.document["code_tables"] == []

    def test_names_every_file_that_it_cannot_read(self, folder: Path):
        (folder / "layouts/broken.json").write_text("{")
        (folder / "rulesets/list.json").write_text("[]")
        write(folder / "code-tables/lost.json", {"id": "lost", "partner": "nobody"})

        with pytest.raises(InvalidInput) as refused:
            bundles.gather(folder)

        assert {(Path(one.pointer).name, one.code) for one in refused.value.faults} == {
            ("broken.json", "not_json"),
            ("list.json", "not_an_object"),
            ("lost.json", "unknown_partner"),
        }

    def test_refuses_a_folder_without_manifests(self, tmp_path: Path):
        with pytest.raises(InvalidInput) as refused:
            bundles.gather(tmp_path)

        assert [one.code for one in refused.value.faults] == ["no_manifest"]
