"""POST /v1/rulesets and .../versions: save a draft. It names its partner by code, which this room can look up."""

from typing import Any

from chalice.app import Blueprint
from pydantic import Field

from chalicelib.access.scopes import Scope
from chalicelib.errors import Conflict, InvalidInput, NotFound, NotPermitted, UnknownReference
from chalicelib.language import RuleRefused
from chalicelib.partners import directory
from chalicelib.rules import catalogue, documents, gates, rulesets
from chalicelib.rules.envelopes import Envelope
from chalicelib.rules.showing import SHA256, FaultView, FindingView, require_own
from chalicelib.storage.ids import public_id
from chalicelib.web.answers import Answer
from chalicelib.web.call import Call
from chalicelib.web.endpoint import endpoint
from chalicelib.web.paths import RulesetId
from chalicelib.web.shapes import Body, PublicId, View

blueprint = Blueprint(__name__)

_DOCUMENT_BYTES_MAX = 4 << 20


class DraftBody(Body):
    """One rule document, as a rule file has it."""

    document: dict[str, Any]


class SavedVersionView(View):
    """A saved version. It decides nothing before it is promoted."""

    ruleset: str
    version: int
    version_id: PublicId
    content_hash: str = Field(pattern=SHA256)
    created: bool = Field(description="False: this content was saved before, under this number.")
    ready: bool = Field(description="Whether every gate but approval is open.")
    findings: list[FindingView]
    shut: list[FaultView] = Field(description="What keeps it from deciding, approval apart.")


@endpoint(
    blueprint,
    "POST /v1/rulesets/{ruleset_id}/versions",
    scope=Scope.RULES_WRITE,
    status=201,
    idempotent=True,
    raises=[RuleRefused, NotFound, NotPermitted, UnknownReference, Conflict, InvalidInput],
    body_bytes_max=_DOCUMENT_BYTES_MAX,
    exact_numbers=True,
)
def save_version(call: Call, ruleset_id: RulesetId, body: DraftBody) -> Answer[SavedVersionView]:
    """Save a document as the next, immutable version of a ruleset, which is made when there is none.

    The same content again answers 200 with the version it has. Cases may still be red: they are asked for later.
    """
    opened = documents.read(body.document).envelope
    if opened.code != ruleset_id:
        _require_visible(call, ruleset_id)
        raise InvalidInput(f"The document is of ruleset {opened.code!r}.", code="other_ruleset")
    return _saved(call, opened, body.document)


@endpoint(
    blueprint,
    "POST /v1/rulesets",
    scope=Scope.RULES_WRITE,
    status=201,
    idempotent=True,
    raises=[RuleRefused, NotFound, NotPermitted, UnknownReference, Conflict, InvalidInput],
    body_bytes_max=_DOCUMENT_BYTES_MAX,
    exact_numbers=True,
)
def create_ruleset(call: Call, body: DraftBody) -> Answer[SavedVersionView]:
    """Make a ruleset, with the document as its first version, which decides nothing yet.

    The same document again answers 200. A ruleset that there is already is a conflict (`ruleset_exists`): its next
    version is saved by `POST /v1/rulesets/{ruleset_id}/versions`.
    """
    opened = documents.read(body.document).envelope
    answer = _saved(call, opened, body.document)
    if answer.view.version != 1:
        raise Conflict(
            f"There is a ruleset {opened.code!r} already: save its next version under it.", code="ruleset_exists"
        )
    return answer


def _saved(call: Call, opened: Envelope, document: dict[str, Any]) -> Answer[SavedVersionView]:
    partner_id = _owner(call, opened.partner, opened.code)
    saved = rulesets.save(call.db, document, partner_id=partner_id, caller=call.caller, now=call.now)
    examined = gates.examine(call.db, rulesets.version(call.db, saved.version_id))
    view = SavedVersionView(
        ruleset=opened.code,
        version=saved.number,
        version_id=public_id("rsv", saved.version_id),
        content_hash=saved.content_hash.hex(),
        created=saved.created,
        ready=not examined.shut,
        findings=[FindingView.of(finding) for finding in examined.findings],
        shut=[FaultView.of(fault) for fault in examined.shut_for(call.partner_scope)],
    )
    return Answer(201 if saved.created else 200, view)


def _require_visible(call: Call, code: str) -> None:
    """Raise NotFound for another partner's ruleset before anything is said about the document."""
    catalogue.find(call.db, code, partner_id=call.partner_scope, now=call.now)


def _owner(call: Call, partner_code: str | None, ruleset_id: str) -> bytes | None:
    """The partner that the document names, if the caller may write its rules. Raises NotFound and NotPermitted."""
    if partner_code is None:
        require_own(call, None, ruleset_id)
        return None
    found = directory.by_code(call.db, partner_code)
    if found is None or call.partner_scope not in {None, found.id}:
        raise NotFound(f"There is no partner {partner_code!r}, or it is not yours.")
    return found.id
