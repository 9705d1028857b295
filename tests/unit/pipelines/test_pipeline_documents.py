"""Pipeline documents: what is refused, where, and what is said."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from chalicelib.language import RuleRefused, parse_json
from chalicelib.pipelines import documents, together
from chalicelib.pipelines.documents import Deliver, longest_s

RULES = Path(__file__).parents[3] / "rules"
FILES = sorted((RULES / "pipelines").glob("*.json"))


def work(name: str = "check_order", **changes: Any) -> dict[str, Any]:
    return {"name": name, "kind": "work", "does": "check_order", "timeout_s": 60} | changes


def small(**changes: Any) -> dict[str, Any]:
    return {
        "id": "order",
        "kind": "pipeline",
        "owner": "order-desk",
        "why": "A test.",
        "document": "order",
        "inflight_max": 5,
        "timeout_s": 10_000,
        "park": {"timeout_s": 1_000, "tell": "order-desk"},
        "steps": [work()],
    } | changes


PASSING = {"errors": ["unavailable"], "attempts_max": 4, "interval_s": 10, "factor": "2.5", "interval_s_max": 50}


def refused(document: dict[str, Any]) -> dict[str, tuple[str, str | None]]:
    """By place, the code of its fault and what is suggested."""
    with pytest.raises(RuleRefused) as refusal:
        documents.check(document)
    return {fault.pointer: (fault.code, fault.suggestion) for fault in refusal.value.faults}


class TestRight:
    @pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
    def test_pipelines_of_the_repository_are_read(self, path):
        found = documents.check(parse_json(path.read_text()))

        assert found.code == path.stem
        assert found.spec.steps

    def test_pipelines_of_the_repository_agree(self):
        assert together.faults({path.name: documents.check(parse_json(path.read_text())) for path in FILES}) == []

    def test_orders_quotes_and_leads_have_one(self):
        of = {documents.check(parse_json(path.read_text())).spec.document for path in FILES}
        assert {"order", "quote", "lead"} <= of

    def test_names_what_it_needs_from_elsewhere(self):
        found = documents.check(parse_json((RULES / "pipelines/order.json").read_text()))

        assert found.mappings == {"/steps/3/mapping": "netsuite.sales-order", "/steps/4/mapping": "oms.order"}
        assert found.children == {"/steps/2/pipeline": "customer"}
        assert isinstance(found.spec.steps[3], Deliver)


class TestWrong:
    def test_a_step_of_an_unknown_kind_gets_a_suggestion(self):
        found = refused(small(steps=[work() | {"kind": "wrok"}]))
        assert found == {"/steps/0/kind": ("unknown_kind_of_step", "did you mean `work`?")}

    def test_a_step_without_a_kind_is_told_the_kinds(self):
        step = work()
        del step["kind"]
        assert refused(small(steps=[step])) == {"/steps/0/kind": ("bad_pipeline", None)}

    def test_an_unknown_field_of_a_step_gets_a_suggestion(self):
        found = refused(small(steps=[work(timeout=60)]))
        assert found == {"/steps/0/timeout": ("unknown_field", "did you mean `timeout_s`?")}

    def test_an_unknown_field_of_the_document_gets_a_suggestion(self):
        assert refused(small(step=[])) == {"/step": ("unknown_field", "did you mean `steps`?")}

    def test_what_a_kind_of_step_does_not_take_is_refused(self):
        step = {"name": "shipped", "kind": "wait", "event": "shipped", "timeout_s": 60, "retry": "passing"}
        assert refused(small(steps=[step])) == {"/steps/0/retry": ("unknown_field", None)}

    @pytest.mark.parametrize(
        ("place", "step"),
        [
            ("/steps/0/timeout_s", work(timeout_s=0)),
            ("/steps/0/timeout_s", work(timeout_s="60")),
            ("/steps/0/name", work("Check order")),
            ("/steps/0/name", work("a" * 41)),
            ("/steps/0/name", work("done") | {"name": ""}),
            ("/steps/0", "check_order"),
        ],
    )
    def test_a_step_out_of_bounds_is_named(self, place, step):
        assert [pointer.removesuffix("/kind") for pointer in refused(small(steps=[step]))] == [place]

    def test_a_retry_that_nobody_declared_gets_a_suggestion(self):
        found = refused(small(retries={"passing": PASSING}, steps=[work(retry="pasing"), work("b", retry="passing")]))
        assert found == {"/steps/0/retry": ("unknown_retry_policy", "did you mean `passing`?")}

    def test_a_throttle_that_nobody_declared_is_refused(self):
        assert refused(small(steps=[work(throttle="netsuite")])) == {"/steps/0/throttle": ("unknown_throttle", None)}

    def test_a_policy_that_no_step_uses_is_refused(self):
        found = refused(small(retries={"passing": PASSING}, throttles={"oms": {"inflight_max": 2}}))
        assert found == {"/retries/passing": ("unused", None), "/throttles/oms": ("unused", None)}

    def test_two_steps_of_one_name_are_refused(self):
        assert refused(small(steps=[work(), work()])) == {"/steps/1/name": ("repeated", None)}

    @pytest.mark.parametrize("name", sorted(documents.RESERVED))
    def test_a_name_of_the_hub_s_own_states_is_refused(self, name):
        assert refused(small(steps=[work(name)])) == {"/steps/0/name": ("reserved_name", None)}

    def test_a_pipeline_that_runs_itself_is_refused(self):
        step = {"name": "again", "kind": "pipeline", "pipeline": "order", "timeout_s": 60}
        assert refused(small(steps=[step])) == {"/steps/0/pipeline": ("runs_itself", None)}

    def test_a_longest_wait_below_the_first_is_refused(self):
        policy = PASSING | {"interval_s_max": 9}
        found = refused(small(retries={"passing": policy}, steps=[work(retry="passing")]))
        assert found == {"/retries/passing/interval_s_max": ("bad_interval", None)}

    def test_an_error_that_never_passes_is_not_tried_again(self):
        policy = PASSING | {"errors": ["rejected"]}
        found = refused(small(retries={"passing": policy}, steps=[work(retry="passing")]))
        assert found == {"/retries/passing/errors/0": ("bad_pipeline", None)}

    def test_of_another_kind_it_is_no_pipeline(self):
        assert refused(small(kind="accrual")) == {"/kind": ("unknown_kind", None)}


class TestTime:
    def test_the_longest_run_counts_attempts_waits_pauses_and_words_from_outside(self):
        steps = [
            work(retry="passing"),
            {"name": "rest", "kind": "pause", "pause_s": 100},
            {"name": "shipped", "kind": "wait", "event": "shipped", "timeout_s": 1_000},
        ]
        found = documents.check(small(retries={"passing": PASSING}, steps=steps))

        # Four attempts of a minute; waits of 10, 25 and, not 62.5, 50 seconds.
        assert longest_s(found.spec) == 4 * 60 + (10 + 25 + 50) + 100 + 1_000

    def test_a_run_that_may_not_end_in_its_time_is_refused_by_a_second(self):
        needed = 60 + 1_000
        assert refused(small(timeout_s=needed - 1)) == {"/timeout_s": ("cannot_end", None)}
        assert documents.check(small(timeout_s=needed)).spec.timeout_s == needed


class TestTogether:
    def test_pipelines_that_say_different_limits_of_one_throttle_are_refused(self):
        first = small(throttles={"netsuite": {"inflight_max": 5}}, steps=[work(throttle="netsuite")])
        second = deepcopy(first) | {"id": "quote", "throttles": {"netsuite": {"inflight_max": 6}}}

        [fault] = together.faults({"a.json": documents.check(first), "b.json": documents.check(second)})

        assert (fault.pointer, fault.code) == ("b.json#/throttles/netsuite/inflight_max", "throttle_differs")
        assert fault.expected == "5"

    def test_pipelines_that_run_each_other_in_a_circle_are_refused(self):
        def running(code: str, other: str) -> documents.Pipeline:
            step = {"name": "other", "kind": "pipeline", "pipeline": other, "timeout_s": 60}
            return documents.check(small(id=code, steps=[step]))

        circle = {"a": running("a", "b"), "b": running("b", "c"), "c": running("c", "a"), "d": running("d", "a")}

        found = together.faults(circle)

        assert {(fault.pointer, fault.code) for fault in found} == {
            ("a#/steps/0/pipeline", "runs_itself"),
            ("b#/steps/0/pipeline", "runs_itself"),
            ("c#/steps/0/pipeline", "runs_itself"),
        }
