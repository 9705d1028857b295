"""What a rule decides about one event: the facts it sees, the points it gives, and the proof that is kept of both."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from datetime import date
from decimal import Context, Decimal
from functools import lru_cache
from json import JSONEncoder, loads
from json.encoder import encode_basestring as _quoted
from typing import Any, Final, NamedTuple

from sqlalchemy.engine import Connection

from chalicelib.errors import Broken, Unprocessable
from chalicelib.language import DecisionRefused, InputRefused, Value
from chalicelib.partners.members.members import MemberRef
from chalicelib.points.deciding.aggregates import PeriodTotals, Span
from chalicelib.points.deciding.events import NewAccrual, Recorded, rejected
from chalicelib.points.deciding.screening import Question
from chalicelib.points.ledger.transfers import AMOUNT_MINOR_MAX
from chalicelib.records import dataclass
from chalicelib.rules import code_table_misses, code_tables
from chalicelib.rules.code_table_misses import Missed
from chalicelib.rules.code_tables import DatedTables, Unmapped
from chalicelib.rules.rulesets import LiveVersion

#: The output of an accrual ruleset that says what an event earns.
POINTS = "points"

_Source = Callable[[NewAccrual, MemberRef], object]

#: Wide enough that shifting an amount's decimal point never rounds, whatever the caller's own context is.
_EXACT = Context(prec=60)

_encode = JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class PointsRefused(Unprocessable):
    """The rule gave points that cannot be posted."""

    code = "points_refused"


#: What ``decide`` raises when the version has no answer.
Refused = InputRefused | DecisionRefused | PointsRefused


class Decision(NamedTuple):
    """What an event earns, None where the rule does not apply to it, and the facts that decided it, as JSON.

    The facts are ``inputs`` (as the rule declares them), ``aggregates``, ``lookups`` (table -> code -> value, null for
    a miss) and ``event`` (what the partner said besides). Decimals and dates are text. ``missed`` are the misses.
    """

    points_minor: int | None
    facts: str
    missed: tuple[Missed, ...] = ()


def _of_event(name: str) -> _Source:
    return lambda event, _: event[name]  # type: ignore[literal-required]  # the names are NewAccrual's


def _of_member(name: str) -> _Source:
    return lambda _, member: getattr(member, name)


def _of_attributes(name: str) -> _Source:
    return lambda _, member: member.attributes.get(name)


#: Where each fact of ``rules.facts.ACCRUAL`` comes from.
SOURCES: Final[Mapping[str, _Source]] = {
    **{
        name: _of_event(name)
        for name in ("event_type", "quantity", "unit", "amount", "currency", "pay_period", "category")
    },
    **{name: _of_member(name) for name in ("status", "hire_date", "term_date", "country")},
    "job_code": lambda event, member: event["job_code_override"] or member.job_code,
    **{
        name: _of_attributes(name)
        for name in ("grade", "department", "cost_center", "location_code", "union_code", "fte_pct")
    },
}

#: What is kept of an event besides the rule's inputs; the columns of its row have the rest.
_KEPT: Final = (
    "employee_id", "quantity", "unit", "amount", "currency", "pay_period", "job_code_override", "category",
    "reference", "description",
)  # fmt: skip


class _Recording(Mapping[str, str]):
    """A code table that remembers what was looked up in it, misses included."""

    def __init__(self, entries: Mapping[str, str]) -> None:
        self._entries = entries
        self.asked: dict[str, str | None] = {}

    def __getitem__(self, code: str) -> str:
        value = self._entries.get(code)
        self.asked[code] = value
        if value is None:
            raise KeyError(code)
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


@dataclass(slots=True)
class _Way:
    """How one version is asked: made once a batch, used for each of its events."""

    sources: tuple[tuple[str, _Source], ...]
    kept: tuple[str, ...]
    #: Name -> period.
    aggregates: tuple[tuple[str, Span], ...]
    code_tables: tuple[str, ...]


@dataclass(slots=True)
class Bench:
    """What the events of one batch share when they are decided."""

    db: Connection
    totals: PeriodTotals
    ways: dict[bytes, _Way] = field(default_factory=dict)
    tables: dict[tuple[str, ...], DatedTables] = field(default_factory=dict)

    def way(self, version: LiveVersion) -> _Way:
        """How the version is asked. Raises Broken for a rule that was saved without the checks of saving."""
        known = self.ways.get(version.version_id)
        if known is None:
            known = self.ways[version.version_id] = _way(version)
        return known

    def code_tables(self, names: tuple[str, ...], day: date) -> Mapping[str, Mapping[str, str]]:
        """The tables' entries on a day; one statement for each set of tables."""
        known = self.tables.get(names)
        if known is None:
            known = self.tables[names] = code_tables.dated(self.db, names)
        return known.on(day)


class Answer(NamedTuple):
    """What a version says of one event, and what it read to say so besides the inputs.

    ``points_minor`` is None where the rule does not apply; ``lookups`` is table -> code -> value, None for a miss.
    """

    points_minor: int | None
    aggregates: Mapping[str, Value]
    lookups: Mapping[str, Mapping[str, str | None]]


def decide(bench: Bench, question: Question) -> Decision:
    """Let the rule in force decide one event; the aggregates see what the batch accepted before.

    Raises InputRefused or DecisionRefused when the rule has no answer, PointsRefused when the points cannot be posted.
    """
    _, event, program, member, account_id, version = question
    way = bench.way(version)
    inputs = version.compiled.read({name: source(event, member) for name, source in way.sources})
    found = answer(bench, version, inputs, account_id=account_id, day=event["event_date"], scale=program.scale)
    said = {
        name: value
        for name in way.kept
        if (value := event[name]) is not None  # type: ignore[literal-required]  # the names are NewAccrual's
    }
    missed: tuple[Missed, ...] = ()
    if found.lookups:
        missed = tuple(code_table_misses.of_lookups(found.lookups, version.compiled.tolerated, event["event_date"]))
    return Decision(found.points_minor, facts_text(inputs, found, said), missed)


def answer(
    bench: Bench, version: LiveVersion, inputs: dict[str, Value], *, account_id: bytes, day: date, scale: int
) -> Answer:
    """What the version says of typed inputs, with the bench's sums and code tables. Raises as ``decide`` does."""
    way = bench.way(version)
    given: dict[str, Value] = inputs
    sums: dict[str, Value] = {}
    if way.aggregates:
        sums = aggregates(bench, version, account_id=account_id, day=day, scale=scale)
        given = {**inputs, **sums}
    tables: Mapping[str, _Recording] = {}
    if way.code_tables:
        entries = bench.code_tables(way.code_tables, day)
        tables = {name: _Recording(entries.get(name, {})) for name in way.code_tables}
    outputs = version.compiled.decide(given, as_of=day, code_tables=tables)
    points = None if outputs is None else to_minor(outputs[POINTS], scale)
    return Answer(points, sums, {name: recording.asked for name, recording in tables.items()} if tables else {})


def aggregates(bench: Bench, version: LiveVersion, *, account_id: bytes, day: date, scale: int) -> dict[str, Value]:
    """The sums that the version reads of an account around a day, at the program's scale."""
    totals = bench.totals
    return {
        name: Decimal(totals.of(account_id, span, day)).scaleb(-scale, _EXACT)
        for name, span in bench.way(version).aggregates
    }


def facts_text(inputs: Mapping[str, Value], found: Answer, said: Mapping[str, object]) -> str:
    """The facts of a decision as they are kept: see ``Decision``."""
    proof = ['{"inputs":', _object(inputs)]
    if found.aggregates:
        proof += ',"aggregates":', _object(found.aggregates)
    if found.lookups:
        proof += ',"lookups":', _object(found.lookups)
    proof += ',"event":', _object(said), "}"
    return "".join(proof)


def refused(question: Question, refusal: Refused) -> Recorded:
    """The outcome of an event for which the rule has no answer, naming the first input or output that failed."""
    code, column, message = reason(question.version, refusal)
    told = rejected(question.event["event_id"], code, column, message)
    if not isinstance(refusal, DecisionRefused):
        return told
    return told._replace(unmapped=Unmapped.of(refusal, question.event["event_date"]))


def reason(version: LiveVersion, refusal: Refused) -> tuple[str, str | None, str]:
    """Code, place and sentence for an event to which the version has no answer."""
    rule = version.ruleset_code
    if isinstance(refusal, PointsRefused):
        return refusal.code, None, f"{rule}: {refusal.message}"
    if not refusal.faults:
        return "rule_refused", None, f"{rule}: {refusal.message}"
    fault = refusal.faults[0]
    return "rule_refused", fault.pointer, f"{rule}: {fault.message}"


def to_minor(points: Value, scale: int) -> int:
    """Points of a rule in minor units. Raises PointsRefused for negative, too many, or too finely divided points."""
    if isinstance(points, int):
        points = Decimal(points)
    if not isinstance(points, Decimal):
        raise PointsRefused("The rule gave no number of points.")
    shifted = points.scaleb(scale, _EXACT)
    minor = int(shifted)
    if minor != shifted:
        raise PointsRefused(f"The rule gave more than the program's {scale} decimals.", code="points_too_fine")
    if minor < 0:
        raise PointsRefused("The rule gave negative points, and an event only earns.", code="negative_points")
    if minor > AMOUNT_MINOR_MAX:
        raise PointsRefused("The rule gave more points than one event may earn.", code="points_out_of_range")
    return minor


class Proof(NamedTuple):
    """The facts of a stored decision, as the language takes them."""

    inputs: Mapping[str, object]
    aggregates: Mapping[str, Decimal]
    lookups: Mapping[str, Mapping[str, str]]

    @classmethod
    def of(cls, facts: str) -> "Proof":
        """Read what ``decide`` kept."""
        kept = loads(facts)
        return cls(
            kept["inputs"],
            {name: Decimal(value) for name, value in kept.get("aggregates", {}).items()},
            {
                table: {code: value for code, value in asked.items() if value is not None}
                for table, asked in kept.get("lookups", {}).items()
            },
        )


def decide_again(version: LiveVersion, proof: Proof, *, as_of: date, scale: int) -> int | None:
    """The points, in minor units, that the version gives for stored facts; None where it does not apply."""
    outputs = version.compiled.decide(given(version, proof), as_of=as_of, code_tables=proof.lookups)
    return None if outputs is None else to_minor(outputs[POINTS], scale)


def given(version: LiveVersion, proof: Proof) -> dict[str, Value]:
    """The typed facts of a stored decision, aggregates included."""
    return {**version.compiled.read(proof.inputs), **proof.aggregates}


def _way(version: LiveVersion) -> _Way:
    compiled = version.compiled
    unknown = compiled.inputs.keys() - SOURCES.keys()
    if unknown or POINTS not in compiled.outputs:
        what = f"reads {', '.join(sorted(unknown))}" if unknown else f"has no output {POINTS!r}"
        raise Broken(f"Version {version.number} of {version.ruleset_code} {what}: it decides no accrual.")
    return _Way(
        sources=tuple((name, SOURCES[name]) for name in compiled.inputs),
        kept=tuple(name for name in _KEPT if name not in compiled.inputs),
        aggregates=tuple((name, Span.of(aggregate)) for name, aggregate in compiled.aggregates.items()),
        code_tables=tuple(sorted(compiled.code_tables)),
    )


def _object(values: Mapping[str, object]) -> str:
    """The values as a JSON object; the general encoder takes three times as long, for every event of every file."""
    return (
        "{" + ",".join([_name(name) + _JSON.get(type(value), _encode)(value) for name, value in values.items()]) + "}"
    )


@lru_cache(maxsize=1024)
def _name(name: str) -> str:
    return _quoted(name) + ":"


_JSON: Final[Mapping[type, Callable[[Any], str]]] = {
    str: _quoted,
    Decimal: '"{:f}"'.format,
    date: '"{}"'.format,
    type(None): lambda _: "null",
}
