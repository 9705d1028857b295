"""Golden cases: what every version of a ruleset must decide, kept beside the ruleset and not in its document.

An author changes a document's own cases with the rule; a golden case stays until somebody changes it by name, so a
change of what is decided shows as a red case first.
"""

import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.engine import Connection, Row

from chalicelib.access import audit
from chalicelib.access.caller import Caller
from chalicelib.errors import InvalidInput, NotFound, Unprocessable
from chalicelib.language import parse_json
from chalicelib.language.bounds import examine
from chalicelib.language.faults import Report
from chalicelib.records import dataclass
from chalicelib.rules import canonical, versions
from chalicelib.rules.envelopes import day
from chalicelib.rules.models import ruleset, ruleset_case
from chalicelib.storage.ids import new_id

#: Golden cases of one ruleset; every one of them runs before a version may decide.
CASES_MAX = 500
#: Characters of one case's canonical JSON.
CONTENT_LENGTH_MAX = 20_000
_CASE_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")
_KEYS = ("name", "as_of", "given", "expect", "aggregates", "code_tables", "why")


@dataclass(frozen=True, slots=True)
class GoldenCase:
    """One golden case. ``document`` is written like a case of a rule file; ``partner_id`` says whose record it was."""

    case_id: str
    partner_id: bytes | None
    accrual_id: bytes | None
    document: Mapping[str, Any]
    content_hash: bytes
    created_at: datetime
    created_by: str
    changed_at: datetime
    changed_by: str

    @property
    def as_of(self) -> date:
        """The day of the decision."""
        return date.fromisoformat(self.document["as_of"])

    @property
    def label(self) -> str:
        """What the case is called among those of a document."""
        return f"golden:{self.case_id}"

    def visible_to(self, partner_id: bytes | None) -> bool:
        """Whether who is bound to ``partner_id`` (None: nobody) may see it: a shared ruleset may have another's."""
        return partner_id is None or self.partner_id in {None, partner_id}


@dataclass(frozen=True, slots=True)
class Kept:
    """A golden case as it is now; ``changed`` is False when it was the same before."""

    case: GoldenCase
    created: bool
    changed: bool


def put(
    db: Connection,
    ruleset_code: str,
    case_id: str,
    document: Mapping[str, Any],
    *,
    partner_id: bytes | None = None,
    accrual_id: bytes | None = None,
    caller: Caller,
    now: datetime,
) -> Kept:
    """Keep a case under an id, in place of the one that has it; the same content again changes nothing.

    ``partner_id`` and ``accrual_id`` say whose record, and which, the case was made of. Raises NotFound for an unknown
    ruleset, InvalidInput (``case_refused``) for what is no case, Unprocessable (``too_many_cases``).
    """
    owner = versions.require_locked(db, ruleset_code)
    content = _content(case_id, document)
    content_hash = canonical.digest(content)
    known = _find(db, owner.id, case_id)
    if known is not None and (known.content_hash, known.accrual_id) == (content_hash, accrual_id):
        return Kept(_case(known), created=False, changed=False)
    values = {
        "partner_id": partner_id,
        "accrual_id": accrual_id,
        "content": content,
        "content_hash": content_hash,
        "changed_at": now,
        "changed_by": caller.actor,
    }
    if known is None:
        _require_room(db, owner.id)
        identity = {"id": new_id(), "ruleset_id": owner.id, "case_id": case_id}
        db.execute(insert(ruleset_case), {**identity, **values, "created_at": now, "created_by": caller.actor})
    else:
        db.execute(update(ruleset_case).where(ruleset_case.c.id == known.id).values(**values))
    audit.record(
        db,
        caller=caller,
        action="ruleset.case_kept",
        subject=ruleset_code,
        partner_id=owner.partner_id,
        before=None if known is None else {"case": case_id, "content": known.content},
        after={"case": case_id, "content": content, "content_hash": content_hash, "accrual": accrual_id},
        now=now,
    )
    stored = _find(db, owner.id, case_id)
    assert stored is not None  # noqa: S101 - written three lines above, in this transaction
    return Kept(_case(stored), created=known is None, changed=True)


def remove(
    db: Connection, ruleset_code: str, case_id: str, *, reason: str | None, caller: Caller, now: datetime
) -> None:
    """Hold the ruleset to this case no more; what it said stays in the audit trail. Raises NotFound."""
    owner = versions.require_locked(db, ruleset_code)
    known = _find(db, owner.id, case_id)
    if known is None:
        raise NotFound(f"Ruleset {ruleset_code!r} has no golden case {case_id!r}.")
    db.execute(delete(ruleset_case).where(ruleset_case.c.id == known.id))
    audit.record(
        db,
        caller=caller,
        action="ruleset.case_removed",
        subject=ruleset_code,
        partner_id=owner.partner_id,
        before={"case": case_id, "content": known.content},
        reason=reason,
        now=now,
    )


def of(db: Connection, ruleset_code: str) -> list[GoldenCase]:
    """The golden cases of a ruleset by their ids; none where there is no such ruleset."""
    rows = db.execute(
        select(ruleset_case)
        .join(ruleset, ruleset.c.id == ruleset_case.c.ruleset_id)
        .where(ruleset.c.code == ruleset_code)
        .order_by(ruleset_case.c.case_id)
    )
    return [_case(row) for row in rows]


def _content(case_id: str, document: Mapping[str, Any]) -> str:
    """The canonical text of a case, once it has the form of one. Whether a version passes it is not asked here."""
    report = Report()
    if not _CASE_ID.fullmatch(case_id):
        expected = "up to 100 lower-case letters, digits, dots, - and _"
        report.add("/case_id", "bad_id", "this is no id of a case", expected=expected, found=case_id)
    examine(document, "", report)
    for name in document:
        if name not in _KEYS:
            report.unknown(f"/{name}", "field", name, _KEYS)
    for name, kind in (("given", Mapping), ("expect", Mapping)):
        if not isinstance(document.get(name), kind) or not (document[name] or name == "given"):
            report.add(f"/{name}", "missing", f"a case has `{name}`", expected="an object", found="none")
    if day(document.get("as_of"), "/as_of", report) is None:
        report.add("/as_of", "bad_date", "a case has a date of decision", expected="YYYY-MM-DD", found="none")
    if report.faults:
        raise InvalidInput("This is not a case.", code="case_refused", faults=report.faults)
    content = canonical.text(document)
    if len(content) > CONTENT_LENGTH_MAX:
        raise InvalidInput(f"A case has at most {CONTENT_LENGTH_MAX} characters.", code="case_refused")
    return content


def _require_room(db: Connection, ruleset_id: bytes) -> None:
    kept = db.execute(
        select(func.count()).select_from(ruleset_case).where(ruleset_case.c.ruleset_id == ruleset_id)
    ).scalar_one()
    if kept >= CASES_MAX:
        raise Unprocessable(f"A ruleset has at most {CASES_MAX} golden cases.", code="too_many_cases")


def _find(db: Connection, ruleset_id: bytes, case_id: str) -> Row[Any] | None:
    return db.execute(
        select(ruleset_case).where(ruleset_case.c.ruleset_id == ruleset_id, ruleset_case.c.case_id == case_id)
    ).first()


def _case(row: Row[Any]) -> GoldenCase:
    return GoldenCase(
        row.case_id,
        row.partner_id,
        row.accrual_id,
        parse_json(row.content),
        row.content_hash,
        row.created_at,
        row.created_by,
        row.changed_at,
        row.changed_by,
    )
