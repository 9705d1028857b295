"""`hub rules check` and `hub rules test` of files: without a hub, every fault by file and place."""

from pathlib import Path
from typing import Any

import pytest

from chalicelib.language import parse_json
from cli.rules import json_text
from local.home import REPOSITORY
from tests.unit.cli.rule_folder import answer, edited, grades, hub, make_folder, write


@pytest.fixture(autouse=True)
def no_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("HUB_URL", raising=False)
    monkeypatch.setenv("INTERLINE_HOME", str(tmp_path / "nowhere"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_folder(tmp_path / "rules")


def edited_copy(name: str, folder: Path) -> Any:
    """A pipeline of the repository, written into the folder."""
    document = parse_json((REPOSITORY / f"rules/pipelines/{name}.json").read_text())
    write(folder / f"pipelines/{name}.json", document)
    return document


def check(folder: Path) -> tuple[int, Any]:
    done = hub("rules", "check", str(folder), "--json")
    return done.exit_code, answer(done)


def places(found: Any, what: str = "errors") -> set[tuple[str, str]]:
    return {(fault["pointer"], fault["code"]) for fault in found[what]}


class TestCheck:
    def test_of_right_files_ends_with_zero_and_says_what_their_cases_cover(self, folder: Path):
        status, found = check(folder)

        assert (status, found["ok"], found["files"]) == (0, True, 3)
        assert found["rules"] == [
            {
                "file": "rulesets/acme.accrual.json",
                "id": "acme.accrual",
                "kind": "accrual",
                "cases": 2,
                "passed": 2,
                "covered_percent": "100.0",
            }
        ]

    def test_of_the_repositorys_own_files_finds_nothing(self):
        status, found = check(REPOSITORY / "rules")

        assert (status, found["errors"]) == (0, [])
        # Of what pipelines name, the mappings are not written yet.
        assert {(fault["pointer"].split("/")[0], fault["code"]) for fault in found["elsewhere"]} == {
            ("pipelines", "mapping_elsewhere")
        }

    def test_names_the_red_case(self, folder: Path):
        document = edited(folder / "rulesets/acme.accrual.json")
        document["cases"][0]["expect"]["points"] = "99.00"
        write(folder / "rulesets/acme.accrual.json", document)

        status, found = check(folder)

        assert status == 1
        assert places(found) == {("rulesets/acme.accrual.json#/cases/0", "case_failed")}
        assert "expected points = 99.00, got points = 15.00" in found["errors"][0]["message"]

    def test_names_what_no_case_gets_to(self, folder: Path):
        document = edited(folder / "rulesets/acme.accrual.json")
        write(folder / "rulesets/acme.accrual.json", document | {"cases": document["cases"][:1]})

        status, found = check(folder)

        assert status == 1
        assert places(found) == {("rulesets/acme.accrual.json#/when", "not_covered")}

    def test_names_faults_of_every_kind_of_file_at_once(self, folder: Path):
        edited(folder / "partners/acme.json", time_zone="Mars/Olympus")
        edited(folder / "rulesets/acme.accrual.json", when={"==": [{"var": "statsu"}, "active"]})
        edited(folder / "code-tables/grades.json", entries=[])

        status, found = check(folder)

        assert status == 1
        assert {pointer for pointer, _ in places(found)} == {
            "partners/acme.json#/time_zone",
            "rulesets/acme.accrual.json#/when/==/0",
            "code-tables/grades.json#/entries",
        }

    def test_names_the_faults_of_pipelines_and_what_they_name_elsewhere(self, folder: Path):
        order = edited_copy("order", folder)
        order["steps"][0]["retry"] = "pasing"
        write(folder / "pipelines/order.json", order)
        lead = edited_copy("lead", folder)
        lead["throttles"]["salesforce"]["inflight_max"] = 1
        quote = edited_copy("quote", folder)
        for name, document in (("lead", lead), ("quote", quote)):
            write(folder / f"pipelines/{name}.json", document)

        status, found = check(folder)

        assert status == 1
        assert places(found) == {
            ("pipelines/order.json#/steps/0/retry", "unknown_retry_policy"),
            ("pipelines/quote.json#/throttles/salesforce/inflight_max", "throttle_differs"),
        }
        assert ("pipelines/quote.json#/steps/1/pipeline", "pipeline_elsewhere") in places(found, "elsewhere")
        assert ("pipelines/lead.json#/steps/2/mapping", "mapping_elsewhere") in places(found, "elsewhere")

    def test_of_a_pipeline_that_is_no_json_names_it(self, folder: Path):
        (folder / "pipelines").mkdir()
        (folder / "pipelines/order.json").write_text('{"id": "order",')

        status, found = check(folder)

        assert status == 1
        assert places(found) == {("pipelines/order.json", "not_json")}

    def test_names_an_id_that_two_files_have(self, folder: Path):
        write(folder / "code-tables/more.json", grades(A="2"))

        assert places(check(folder)[1]) == {("code-tables/more.json#/id", "repeated")}

    def test_only_mentions_what_may_be_in_the_hub(self, folder: Path):
        (folder / "rulesets/acme.accrual.json").unlink()

        status, found = check(folder)

        assert status == 0
        assert places(found, "elsewhere") == {("partners/acme.json#/programs/0/ruleset", "accrual_elsewhere")}

    def test_of_a_file_that_is_no_json_names_it(self, folder: Path):
        (folder / "rulesets/broken.json").write_text('{"id": ')

        done = hub("rules", "check", str(folder), "--json")

        assert done.exit_code == 1
        assert answer(done)["error"]["faults"][0]["pointer"] == "rulesets/broken.json"

    def test_of_a_folder_that_is_not_there_is_wrong_usage(self, tmp_path: Path):
        assert hub("rules", "check", str(tmp_path / "none")).exit_code == 2


class TestTestOfAFile:
    def test_shows_of_a_red_case_what_came_and_how_to_see_why(self, folder: Path):
        path = folder / "rulesets/acme.accrual.json"
        document = edited(path)
        document["cases"][0]["expect"]["points"] = "99.00"
        write(path, document)

        done = hub("rules", "test", str(path))

        assert done.exit_code == 1
        assert "expected  points = 99.00" in done.stdout
        assert "got       points = 15.00" in done.stdout
        assert f"hub rules explain {path} --case 'an active member earns'" in done.stdout

    def test_shows_what_is_bare(self, folder: Path):
        path = folder / "rulesets/acme.accrual.json"
        write(path, edited(path) | {"cases": edited(path)["cases"][:1]})

        done = hub("rules", "test", str(path))

        assert done.exit_code == 1
        assert "no case gets to a record to which the rule does not apply" in done.stdout

    def test_of_a_green_file_ends_with_zero(self, folder: Path):
        done = hub("rules", "test", str(folder / "rulesets/acme.accrual.json"), "--json")

        assert (done.exit_code, answer(done)["ready"]) == (0, True)

    def test_has_no_versions(self, folder: Path):
        path = str(folder / "rulesets/acme.accrual.json")
        assert hub("rules", "test", path, "--version", "2").exit_code == 2


class TestExplainOfAFile:
    def test_tells_every_value_on_the_way_in_words(self, folder: Path):
        done = hub("rules", "explain", str(folder / "rulesets/acme.accrual.json"), "--case", "an active member earns")

        assert done.exit_code == 0
        assert "points = 15.00" in done.stdout
        assert "quantity = 10" in done.stdout
        assert "The rule applies" in done.stdout

    def test_takes_a_record_and_its_day(self, folder: Path, tmp_path: Path):
        record = write(tmp_path / "record.json", {"status": "active", "quantity": "8"})
        path = str(folder / "rulesets/acme.accrual.json")

        done = hub("rules", "explain", path, "--record", str(record), "--as-of", "2026-11-02", "--json")

        assert (done.exit_code, answer(done)["outcome"], answer(done)["outputs"]) == (0, "decided", {"points": "12.00"})

    def test_of_a_record_that_is_refused_ends_with_one_and_says_why(self, folder: Path, tmp_path: Path):
        record = write(tmp_path / "record.json", {"status": "actve", "quantity": "8"})
        path = str(folder / "rulesets/acme.accrual.json")

        done = hub("rules", "explain", path, "--record", str(record), "--as-of", "2026-11-02", "--json")

        assert (done.exit_code, answer(done)["outcome"]) == (1, "refused")
        assert answer(done)["faults"][0]["pointer"].endswith("status")

    def test_looks_up_in_the_code_tables_beside_it(self):
        path = REPOSITORY / "rules/rulesets/vega-motors.workwear.json"

        done = hub(
            "rules", "explain", str(path), "--case", "the paint shop earns three quarters, however it is written"
        )

        assert done.exit_code == 0, done.output

    def test_wants_exactly_one_record(self, folder: Path):
        path = str(folder / "rulesets/acme.accrual.json")
        assert hub("rules", "explain", path).exit_code == 2
        assert hub("rules", "explain", path, "--case", "x", "--accrual", "acr_1").exit_code == 2


@pytest.mark.parametrize("path", sorted((REPOSITORY / "rules").glob("*/*.json")), ids=lambda path: path.stem)
def test_files_are_written_so_that_they_read_back_the_same(path: Path):
    from chalicelib.language import parse_json
    from chalicelib.rules import canonical

    document = parse_json(path.read_text())
    text = json_text.written(document)

    assert canonical.text(parse_json(text)) == canonical.text(document)
    lines = [line for line in text.splitlines() if '"why"' not in line and '"description"' not in line]
    assert path.parent.name == "schemas" or max(map(len, lines)) <= 160
