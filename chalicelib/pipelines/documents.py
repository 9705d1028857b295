"""Pipeline documents: the steps that an order, a quote or a lead goes through, as an admin writes them.

A document is checked as a whole before anything is made of it: form, names, references, and whether a run can end
within its time. Names of steps are names of states, so they are short, plain and different from those that the hub adds
itself. Nothing here runs a pipeline.
"""

from collections.abc import Mapping, Sequence
from decimal import ROUND_CEILING, Decimal
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from chalicelib.language import RuleRefused
from chalicelib.language.faults import Report, at, shown
from chalicelib.records import dataclass
from chalicelib.rules.envelopes import Envelope, envelope
from chalicelib.web.shapes import Written
from chalicelib.web.wording import sentence

KIND: Final = "pipeline"
STEPS_MAX: Final = 100
DAY_S: Final = 86_400
#: No execution of AWS Step Functions lasts longer than a year.
RUN_S_MAX: Final = 365 * DAY_S
#: States that the hub puts around the steps of every pipeline.
RESERVED: Final = frozenset({"start_at", "park", "done", "failed", "skipped", "aborted"})
_ENVELOPE: Final = frozenset({"$schema", "id", "kind", "owner", "why", "partner"})
_TAG: Final = "kind"

_NAME: Final = "[a-z][a-z0-9_]{0,39}"
_GROUP: Final = "[a-z][a-z0-9_-]{0,39}"
#: What the names in a part of a document look like.
NAMES: Final[Mapping[str, str]] = {"retries": _NAME, "throttles": _GROUP}
Name = Annotated[str, Written(_NAME, "A name has up to 40 small letters, digits and underscores, a letter first.")]
Group = Annotated[str, Written(_GROUP, "A group has up to 40 small letters, digits, hyphens and underscores.")]
Code = Annotated[str, Field(min_length=1, max_length=100)]
Seconds = Annotated[int, Field(ge=1, le=RUN_S_MAX)]
#: What may go wrong that passes by itself, as a step or a delivery reports it.
Passing = Literal["unavailable", "throttled", "timeout", "conflict", "unauthorized"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)


class RetryPolicy(_Part):
    """What is tried again by itself, how often, and how long it waits in between. Other errors park the run at once."""

    errors: list[Passing] = Field(
        min_length=1,
        description="What is worth another attempt. unavailable: the system does not answer, or says that it cannot. "
        "throttled: it asks for patience; what it asks for wins over the interval here. timeout: the step's time is "
        "over. conflict: somebody else changed the record. unauthorized: a token has run out.",
        examples=[["unavailable", "throttled"]],
    )
    attempts_max: int = Field(ge=2, le=50, description="How often in all, the first attempt counted.", examples=[5])
    interval_s: int = Field(ge=1, le=DAY_S, description="The wait before the second attempt.", examples=[2])
    factor: Annotated[Decimal, Field(strict=False, ge=1, le=10)] = Field(
        Decimal(2), description="Each further wait is so many times longer.", examples=["2"]
    )
    interval_s_max: int = Field(300, ge=1, le=DAY_S, description="No wait is longer than this.", examples=[300])
    jitter: bool = Field(
        True, description="Whether a wait is drawn at random up to its length, so that failed steps spread out."
    )


class Throttle(_Part):
    """How much of one outside system all pipelines together use; ``PUT /v1/throttles`` changes it while they run."""

    inflight_max: int = Field(ge=1, le=1000, description="Steps at work there at once.", examples=[5])


class Park(_Part):
    """A run that cannot go on waits for an operator, who mends the document and retries, skips or aborts."""

    timeout_s: Seconds = Field(description="How long it waits before it has failed.", examples=[14 * DAY_S])
    tell: str = Field(min_length=1, max_length=100, description="Who is told.", examples=["order-desk"])


class _Step(_Part):
    name: Name = Field(description="What the step is called, once in a pipeline.", examples=["create_order"])
    description: str = Field("", max_length=500, description="For operators.")
    may_skip: bool = Field(False, description="Whether an operator may go on without it when it is parked.")
    timeout_s: Seconds = Field(description="How long one attempt may take.", examples=[60])


class _Trying(_Step):
    retry: Name | None = Field(
        None, description="The name of a retry policy; null: the first error parks the run.", examples=["passing"]
    )


class Work(_Trying):
    """The hub does something itself: reads, decides, books, writes the document anew."""

    kind: Literal["work"]
    does: Name = Field(description="The step handler of the hub that does it.", examples=["check_order"])
    throttle: Group | None = Field(None, description="The group of the outside system that it asks, if it asks any.")


class Deliver(_Trying):
    """An outside system is told, and the run goes on when that system has confirmed it."""

    kind: Literal["deliver"]
    target: Group = Field(description="The code of the target.", examples=["netsuite"])
    mapping: Code = Field(description="The ruleset of kind mapping that writes what is sent.")
    throttle: Group = Field(description="The group of the outside system.", examples=["netsuite"])


class Wait(_Step):
    """The run waits until somebody outside reports, ``POST /v1/callbacks``; without a word in time it is parked."""

    kind: Literal["wait"]
    event: Name = Field(description="What is reported.", examples=["shipped"])


class Pause(_Part):
    """The run goes on when this time has passed."""

    kind: Literal["pause"]
    name: Name = Field(description="What the step is called, once in a pipeline.", examples=["let_fraud_check_settle"])
    description: str = Field("", max_length=500, description="For operators.")
    may_skip: bool = Field(False, description="Whether an operator may go on at once.")
    pause_s: Seconds = Field(description="How long.", examples=[900])


class Child(_Trying):
    """Another pipeline runs for the same document; the run goes on when it has ended well."""

    kind: Literal["pipeline"]
    pipeline: Code = Field(description="The id of the other pipeline.", examples=["customer"])


Step = Annotated[Work | Deliver | Wait | Pause | Child, Field(discriminator=_TAG)]
#: Each kind of step and its model.
STEPS: Final[Mapping[str, type[BaseModel]]] = {
    "work": Work,
    "deliver": Deliver,
    "wait": Wait,
    "pause": Pause,
    "pipeline": Child,
}


class PipelineDocument(_Part):
    """The pipeline's own part of a document."""

    document: Literal["order", "quote", "lead", "return", "record"] = Field(
        description="What goes through it. record: any other document."
    )
    priority: Literal["high", "normal", "low"] = Field(
        "normal", description="Which documents go first where several pipelines wait for one throttle."
    )
    inflight_max: int = Field(ge=1, le=1000, description="Runs at once; other documents wait.", examples=[50])
    timeout_s: Seconds = Field(description="How long a run may last, parked or not.", examples=[30 * DAY_S])
    retries: dict[Name, RetryPolicy] = Field({}, description="Retry policies by the names that steps call them by.")
    throttles: dict[Group, Throttle] = Field(
        {}, description="Groups of steps that share an outside system. Pipelines with the same group share it as well."
    )
    park: Park
    steps: list[Step] = Field(min_length=1, max_length=STEPS_MAX, description="One after the other, in this order.")


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A pipeline in which nothing is wrong by itself."""

    envelope: Envelope
    spec: PipelineDocument

    @property
    def code(self) -> str:
        """Its id."""
        return self.envelope.code

    @property
    def mappings(self) -> Mapping[str, str]:
        """The mapping rulesets that it names, by the JSON Pointer of who names them."""
        steps = enumerate(self.spec.steps)
        return {f"/steps/{number}/mapping": step.mapping for number, step in steps if isinstance(step, Deliver)}

    @property
    def children(self) -> Mapping[str, str]:
        """The pipelines that it runs, by the JSON Pointer of the steps that do."""
        steps = enumerate(self.spec.steps)
        return {f"/steps/{number}/pipeline": step.pipeline for number, step in steps if isinstance(step, Child)}


def check(document: Mapping[str, Any]) -> Pipeline:
    """The pipeline of a document. Raises RuleRefused naming every fault with its JSON Pointer."""
    opened = envelope(document, kinds=(KIND,))
    report = Report()
    spec = _spec(document, report)
    if spec is not None:
        _examine_names(spec, opened.code, report)
        _examine_references(spec, report)
        _examine_times(spec, report)
    report.refuse_if_any()
    if spec is None:
        raise RuleRefused(report.faults)
    return Pipeline(opened, spec)


def longest_s(spec: PipelineDocument) -> int:
    """How long a run lasts that is never parked, when every attempt takes its time and every wait is drawn longest."""
    total = 0
    for step in spec.steps:
        if isinstance(step, Pause):
            total += step.pause_s
            continue
        name = step.retry if isinstance(step, _Trying) else None
        policy = None if name is None else spec.retries.get(name)
        total += step.timeout_s if policy is None else step.timeout_s * policy.attempts_max + _waits_s(policy)
    return total


def _waits_s(policy: RetryPolicy) -> int:
    """All waits of one step together, rounded up."""
    longest = Decimal(policy.interval_s_max)
    wait, total = Decimal(policy.interval_s), Decimal(0)
    for _ in range(policy.attempts_max - 1):
        wait = min(wait, longest)
        total += wait
        wait *= policy.factor
    return int(total.to_integral_value(ROUND_CEILING))


def _spec(document: Mapping[str, Any], report: Report) -> PipelineDocument | None:
    own = {key: value for key, value in document.items() if key not in _ENVELOPE}
    try:
        return PipelineDocument.model_validate(own)
    except ValidationError as error:
        for wrong in error.errors(include_url=False):
            place = _place(wrong["loc"])
            pointer = at("", *place)
            if wrong["type"] == "extra_forbidden":
                report.unknown(pointer, "field", str(place[-1]), _known_names(own, place))
            elif wrong["type"] in {"union_tag_invalid", "union_tag_not_found"}:
                _examine_kind(wrong.get("input"), pointer, report)
            else:
                told = sentence(wrong)
                found = "nothing" if wrong["type"] == "missing" else shown(wrong.get("input"))
                report.add(pointer, "bad_pipeline", told, expected=told, found=found)
    return None


def _place(loc: Sequence[int | str]) -> list[int | str]:
    """Where it is in the document: pydantic names the kind of a step, and a key as such, besides."""
    kept = [part for part in loc if part != "[key]"]
    if len(kept) > 2 and kept[0] == "steps" and kept[2] in STEPS:
        del kept[2]
    return kept


def _examine_kind(step: object, pointer: str, report: Report) -> None:
    kind = step.get(_TAG) if isinstance(step, Mapping) else None
    if isinstance(kind, str):
        report.unknown(at(pointer, _TAG), "kind of step", kind, STEPS)
    else:
        expected = f"one of {', '.join(STEPS)}"
        report.add(at(pointer, _TAG), "bad_pipeline", "a step has a kind", expected=expected, found=shown(kind))


def _known_names(document: Mapping[str, Any], place: Sequence[int | str]) -> list[str]:
    """The fields of the part that ``place`` leads into."""
    parts: Mapping[object, type[BaseModel]] = {"retries": RetryPolicy, "throttles": Throttle, "park": Park}
    model: type[BaseModel] = PipelineDocument if len(place) == 1 else parts.get(place[0], PipelineDocument)
    if place[0] == "steps" and len(place) > 2:
        step = document["steps"][place[1]]
        model = STEPS[step[_TAG]]
    return sorted(model.model_fields)


def _examine_names(spec: PipelineDocument, code: str, report: Report) -> None:
    first: dict[str, int] = {}
    for number, step in enumerate(spec.steps):
        pointer = f"/steps/{number}/name"
        if step.name in RESERVED:
            expected = f"another name than {', '.join(sorted(RESERVED))}"
            report.add(
                pointer, "reserved_name", "the hub has a state of this name itself", expected=expected, found=step.name
            )
        if step.name in first:
            report.add(
                pointer,
                "repeated",
                f"step {first[step.name]} has this name too",
                expected="each name once",
                found=step.name,
            )
        first.setdefault(step.name, number)
        if isinstance(step, Child) and step.pipeline == code:
            report.add(
                f"/steps/{number}/pipeline",
                "runs_itself",
                "a pipeline that runs itself never ends",
                expected="another pipeline",
                found=code,
            )


def _examine_references(spec: PipelineDocument, report: Report) -> None:
    retries, throttles = set(spec.retries), set(spec.throttles)
    used: set[tuple[str, str]] = set()
    for number, step in enumerate(spec.steps):
        for name, known in (("retry", retries), ("throttle", throttles)):
            chosen = getattr(step, name, None)
            if chosen is None:
                continue
            used.add((name, chosen))
            if chosen not in known:
                what = "retry policy" if name == "retry" else name
                report.unknown(f"/steps/{number}/{name}", what, chosen, sorted(known))
    for place, name, known in (("retries", "retry", retries), ("throttles", "throttle", throttles)):
        for each in sorted(known):
            if (name, each) not in used:
                report.add(at("", place, each), "unused", "no step uses it", expected="a step that does", found="none")


def _examine_times(spec: PipelineDocument, report: Report) -> None:
    for name, policy in spec.retries.items():
        if policy.interval_s_max < policy.interval_s:
            report.add(
                at("/retries", name, "interval_s_max"),
                "bad_interval",
                "the longest wait is shorter than the first one",
                expected=f"{policy.interval_s} or more",
                found=str(policy.interval_s_max),
            )
    needed = longest_s(spec) + spec.park.timeout_s
    if needed > spec.timeout_s:
        report.add(
            "/timeout_s",
            "cannot_end",
            "a run in which every step takes its time, is tried as often as it may be, and once waits for an operator "
            "would not end in it",
            expected=f"{needed} or more",
            found=str(spec.timeout_s),
        )
