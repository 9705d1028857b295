"""The onboarding bundle: a partner's manifest and the rule documents that go with it, examined before any is applied.

Every fault is found, not the first only, with a JSON Pointer into the bundle and a suggestion where one can be made.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from chalicelib.deliveries import targets
from chalicelib.errors import InterlineError, InvalidInput
from chalicelib.language import RuleRefused, compile_expression
from chalicelib.language.faults import Report, at, nearest, shown
from chalicelib.partners.members.enrolments import INPUTS
from chalicelib.partners.onboarding.expected_files import ExpectedFile
from chalicelib.partners.onboarding.scheduled_exports import ScheduledExport
from chalicelib.partners.programs.finance_terms import Accounts, SettlementTerms
from chalicelib.partners.programs.programs import Kind, ProgramSpec, zone
from chalicelib.partners.programs.terms import PARTS, Corrections, Lots, Terms, kept
from chalicelib.records import dataclass
from chalicelib.rules import code_tables, documents
from chalicelib.web.shapes import Day, Written
from chalicelib.web.wording import sentence

#: Codes of partners and programs. Without "_", which parts a partner's code from an employee's number in customer
#: numbers, and stands for "-" where an outside system's names take no hyphen.
CODE: Final = r"[a-z0-9][a-z0-9-]{0,39}"
_DOCUMENTS_MAX: Final = 200

Text = Annotated[str, Field(min_length=1, max_length=200)]
Code = Annotated[str, Written(CODE, "A code has up to 40 small letters, digits and hyphens.")]
_Unit = Annotated[
    str, Written("[A-Za-z][A-Za-z0-9_-]{0,19}", "A unit is a word of up to 20 letters, such as points or USD.")
]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)


class Contact(_Part):
    """Whom to ask at the partner."""

    role: Text = Field(description="What for: files, benefits, billing.")
    name: Text | None = None
    email: Text | None = None
    phone: Text | None = None


class EnrolmentRule(_Part):
    """Who takes part: a condition over the facts of a roster row. An employee who has left never does."""

    when: Any = Field(description="A boolean expression of the rule language.")


class ProgramDocument(_Part):
    """One program. ``unit``, ``scale`` and ``time_zone`` cannot be changed afterwards."""

    code: Code
    name: Text
    kind: Kind
    unit: _Unit = Field(description="points, or a currency.")
    scale: int = Field(ge=0, le=6, description="How many decimals the unit has.")
    time_zone: str = Field(max_length=40, description="IANA name; dates of events are in it.")
    ruleset: str = Field(min_length=1, max_length=100, description="Code of the ruleset of kind accrual.")
    effective_from: Day = Field(description="First day of the program.")
    lots: Lots
    corrections: Corrections = Corrections()
    enrolment: EnrolmentRule | None = Field(None, description="Null: members are enrolled by hand.")
    terms: Terms = Terms()

    def spec(self) -> ProgramSpec:
        """The program as the programs module takes it."""
        return ProgramSpec(
            code=self.code,
            name=self.name,
            kind=self.kind,
            unit=self.unit,
            scale=self.scale,
            time_zone=self.time_zone,
            ruleset_code=self.ruleset,
            effective_from=self.effective_from,
            # What is not said is not kept, so a program is the same whether or not it says what holds anyway.
            lots=self.lots.model_dump(exclude_defaults=True),
            enrolment=None if self.enrolment is None else {"when": self.enrolment.when},
            corrections=self.corrections.model_dump(exclude_defaults=True) or None,
            terms=kept(self.terms),
        )


class Manifest(_Part):
    """Everything about one partner. What it leaves out stays as it is."""

    schema_: str | None = Field(None, alias="$schema")
    why: str | None = None
    code: Code
    name: Text
    industry: Annotated[str, Field(max_length=100)] | None = None
    time_zone: str = Field(max_length=40, description="IANA name; dates of rosters are in it.")
    contacts: list[Contact] = []
    house: bool = Field(
        default=False,
        description="The retailer itself, or one of its systems: what its files say of articles, prices, stock and "
        "customers holds for every partner. It needs no program.",
    )
    programs: list[ProgramDocument] = []
    layouts: list[str] = Field([], description="Names of the layouts of its files: its own or shared ones.")
    expected_files: list[ExpectedFile] = Field([], description="Files that come regularly, and when.")
    exports: list[ScheduledExport] = Field([], max_length=20, description="Files that are sent regularly, and when.")
    targets: list[dict[str, Any]] = []
    settlement: SettlementTerms | None = Field(None, description="Null: the partner is not settled.")


@dataclass(frozen=True, slots=True)
class Document:
    """One rule document of the bundle. ``since`` is the first day it is to decide, None where nothing says so."""

    pointer: str
    code: str
    kind: str
    shared: bool
    since: date | None
    content: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle in which nothing is wrong by itself. ``looked_up`` are code tables by the pointer of who names them."""

    manifest: Manifest
    raw_manifest: Mapping[str, Any]
    code_tables: Sequence[Document]
    rules: Sequence[Document]
    looked_up: Mapping[str, frozenset[str]]


def examine(bundle: Mapping[str, Any], *, report: Report) -> Bundle | None:
    """What the bundle says. Faults go to ``report``; None when the manifest cannot be read at all."""
    known = ("manifest", "layouts", "rulesets", "code_tables")
    for name in bundle:
        if name not in known:
            report.unknown(at("", name), "field", name, known)
    manifest = _manifest(bundle.get("manifest"), report)
    if manifest is None:
        return None
    _examine_names(manifest, report)
    for number, program in enumerate(manifest.programs):
        examine_program(program, f"/manifest/programs/{number}", report)
    _examine_targets(manifest, report)
    looked_up: dict[str, frozenset[str]] = {}
    tables = [
        document
        for pointer, raw in _documents(bundle, "code_tables", report)
        if (document := _document(pointer, raw, manifest.code, report, _table)) is not None
    ]
    rules: list[Document] = []
    for pointer, raw in [*_documents(bundle, "rulesets", report), *_documents(bundle, "layouts", report)]:

        def rule(raw: Mapping[str, Any], pointer: str = pointer) -> Any:  # noqa: ANN401 - an envelope
            checked = documents.check(raw)
            looked_up[pointer] = checked.code_tables
            return checked.envelope

        document = _document(pointer, raw, manifest.code, report, rule)
        if document is not None:
            rules.append(document)
    _examine_once([*tables, *rules], report)
    return Bundle(manifest, bundle["manifest"], tables, rules, looked_up)


def examine_program(program: ProgramDocument, pointer: str, report: Report) -> None:
    """Report what a program's shape alone cannot show: an unknown time zone, a condition that does not compile."""
    _examine_zone(program.time_zone, f"{pointer}/time_zone", report)
    if program.enrolment is None:
        return
    place = f"{pointer}/enrolment/when"
    try:
        compile_expression(program.enrolment.when, INPUTS, result="boolean", pointer=place)
    except RuleRefused as error:
        _take(error, "", report)
        return
    for found in _calendar_places(program.enrolment.when, place):
        report.add(
            found,
            "as_of_in_enrolment",
            "enrolment is judged when a roster row comes, not day by day, so it cannot read the calendar",
            expected="facts of the roster row",
            found="as_of",
            suggestion="put a waiting period into `when` of the accrual rule",
        )


def read(model: type[BaseModel], raw: object, pointer: str, report: Report) -> Any:  # noqa: ANN401 - an instance of the model
    """The document as a model, or None when it is not one; unknown members come with a suggestion."""
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        for wrong in error.errors(include_url=False, include_input=False):
            place = at(pointer, *wrong["loc"])
            if wrong["type"] == "extra_forbidden":
                name = str(wrong["loc"][-1])
                report.unknown(place, "field", name, _siblings(model, wrong["loc"][:-1]))
            else:
                told = sentence(wrong)
                report.add(place, wrong["type"], told, expected=told, found="something else")
    return None


def _manifest(raw: object, report: Report) -> Manifest | None:
    if not isinstance(raw, Mapping):
        report.add("/manifest", "missing", "the bundle has no manifest", expected="an object", found=shown(raw))
        return None
    found: Manifest | None = read(Manifest, raw, "/manifest", report)
    return found


def _siblings(model: type[BaseModel], loc: Sequence[int | str]) -> list[str]:
    """The members of the part of a model that ``loc`` leads to, as documents write them."""
    parts: Mapping[str, type[BaseModel]] = {
        "contacts": Contact,
        "programs": ProgramDocument,
        "enrolment": EnrolmentRule,
        **PARTS,
        "expected_files": ExpectedFile,
        "exports": ScheduledExport,
        "settlement": SettlementTerms,
        "accounts": Accounts,
    }
    for step in loc:
        model = parts.get(str(step), model)
    return [field.alias or name for name, field in model.model_fields.items()]


def _examine_names(manifest: Manifest, report: Report) -> None:
    _examine_zone(manifest.time_zone, "/manifest/time_zone", report)
    if not manifest.programs and not manifest.house:
        message = "a partner has at least one program, unless it is the house"
        report.add("/manifest/programs", "too_short", message, expected="a program", found="none")
    lists: tuple[tuple[str, list[Any]], ...] = (
        ("programs", [program.code for program in manifest.programs]),
        ("layouts", list(manifest.layouts)),
        ("expected_files", [expected.layout for expected in manifest.expected_files]),
        ("exports", [sent.export for sent in manifest.exports]),
        ("targets", [target.get("code") for target in manifest.targets]),
    )
    for number, expected in enumerate(manifest.expected_files):
        if expected.layout not in manifest.layouts:
            report.unknown(f"/manifest/expected_files/{number}/layout", "layout", expected.layout, manifest.layouts)
    for name, codes in lists:
        for number, code in enumerate(codes):
            if code in codes[:number]:
                report.add(
                    f"/manifest/{name}/{number}",
                    "repeated",
                    f"`{code}` is there twice",
                    expected="each once",
                    found=shown(code),
                )


def _examine_zone(name: str, pointer: str, report: Report) -> None:
    try:
        zone(name)
    except InvalidInput:
        from zoneinfo import available_timezones

        # Only so many candidates are compared: first those of the same part of the world.
        known = sorted(available_timezones(), key=lambda one: (one[:3] != name[:3], one))
        report.add(
            pointer,
            "unknown_time_zone",
            "there is no such time zone",
            expected="an IANA name such as America/Chicago",
            found=shown(name),
            suggestion=nearest(name, known),
        )


def _examine_targets(manifest: Manifest, report: Report) -> None:
    for number, target in enumerate(manifest.targets):
        try:
            targets.check(target)
        except InterlineError as error:
            _take(error, f"/manifest/targets/{number}", report)


def _documents(bundle: Mapping[str, Any], name: str, report: Report) -> list[tuple[str, Mapping[str, Any]]]:
    given = bundle.get(name, [])
    if not isinstance(given, Sequence) or isinstance(given, str) or len(given) > _DOCUMENTS_MAX:
        expected = f"a list of at most {_DOCUMENTS_MAX} documents"
        report.add(f"/{name}", "bad_documents", f"`{name}` is a list", expected=expected, found=shown(given))
        return []
    found = []
    for number, document in enumerate(given):
        if isinstance(document, Mapping):
            found.append((f"/{name}/{number}", document))
        else:
            report.add(
                f"/{name}/{number}", "bad_document", "not a document", expected="an object", found=shown(document)
            )
    return found


def _table(raw: Mapping[str, Any]) -> Any:  # noqa: ANN401 - an envelope
    return code_tables.check(raw)[0]


def _document(
    pointer: str, raw: Mapping[str, Any], partner: str, report: Report, check: Callable[[Mapping[str, Any]], Any]
) -> Document | None:
    try:
        opened = check(raw)
    except InterlineError as error:
        _take(error, pointer, report)
        return None
    if opened.partner not in {None, partner}:
        report.add(
            f"{pointer}/partner",
            "other_partner",
            "the document belongs to another partner",
            expected=f"{partner}, or null for a shared one",
            found=shown(opened.partner),
        )
        return None
    return Document(pointer, opened.code, opened.kind, opened.partner is None, opened.effective_from, raw)


def _examine_once(found: Iterable[Document], report: Report) -> None:
    seen: dict[str, str] = {}
    for document in found:
        if document.code in seen:
            report.add(
                f"{document.pointer}/id",
                "repeated",
                f"{seen[document.code]} has this id too",
                expected="each document once",
                found=document.code,
            )
        seen[document.code] = document.pointer


def _calendar_places(expression: object, pointer: str) -> list[str]:
    """Where an expression reads ``as_of``."""
    if isinstance(expression, Mapping):
        if expression.get("var") in ("as_of", ["as_of"]):
            return [at(pointer, "var")]
        return [found for key, inner in expression.items() for found in _calendar_places(inner, at(pointer, key))]
    if isinstance(expression, list):
        return [
            found for index, inner in enumerate(expression) for found in _calendar_places(inner, at(pointer, index))
        ]
    return []


def _take(error: InterlineError, pointer: str, report: Report) -> None:
    """Note another room's faults under the place in the bundle they are about."""
    faults: Sequence[Any] = error.faults
    if not faults:
        report.add(pointer, error.code, error.message, expected="something usable", found="this")
    for fault in faults:
        report.add(
            pointer + re.sub(r"^(?=[^/])", "/", fault.pointer),
            fault.code,
            fault.message,
            expected=getattr(fault, "expected", "something usable"),
            found=getattr(fault, "found", "this"),
            suggestion=getattr(fault, "suggestion", None),
        )
