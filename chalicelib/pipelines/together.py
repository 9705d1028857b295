"""What one pipeline document alone cannot show: documents that contradict each other."""

from collections.abc import Iterator, Mapping

from chalicelib.language.faults import RuleFault, at
from chalicelib.pipelines.documents import Pipeline


def faults(pipelines: Mapping[str, Pipeline]) -> list[RuleFault]:
    """What is wrong between the pipelines of a folder, by the files' names: pointers are ``file#pointer``.

    A throttle is one for all pipelines, so they say the same of it; and no pipeline comes back to itself through those
    that it runs. What they name and the folder does not have is no fault here.
    """
    return [*_throttles(pipelines), *_circles(pipelines)]


def _throttles(pipelines: Mapping[str, Pipeline]) -> Iterator[RuleFault]:
    first: dict[str, tuple[str, int]] = {}
    for file, pipeline in pipelines.items():
        for group, throttle in pipeline.spec.throttles.items():
            where, limit = first.setdefault(group, (file, throttle.inflight_max))
            if limit != throttle.inflight_max:
                yield RuleFault(
                    f"{file}#{at('/throttles', group, 'inflight_max')}",
                    "throttle_differs",
                    f"{where} says {limit} of the same group, which all pipelines share",
                    str(limit),
                    str(throttle.inflight_max),
                    None,
                )


def _circles(pipelines: Mapping[str, Pipeline]) -> Iterator[RuleFault]:
    by_code = {pipeline.code: pipeline for pipeline in pipelines.values()}
    for file, pipeline in pipelines.items():
        for pointer, code in pipeline.children.items():
            reached, open_codes = set[str](), [code]
            while open_codes:
                each = open_codes.pop()
                if each not in reached and each in by_code:
                    reached.add(each)
                    open_codes += by_code[each].children.values()
            if pipeline.code in reached:
                yield RuleFault(
                    f"{file}#{pointer}",
                    "runs_itself",
                    f"{code} comes back to {pipeline.code}, so neither would ever end",
                    "a pipeline that does not",
                    code,
                    None,
                )
