"""/v1/api-keys: the keys of users and partners."""

from datetime import datetime, timedelta

from chalice.app import Blueprint
from pydantic import Field

from chalicelib.access import keys, users
from chalicelib.access.keys import ApiKey
from chalicelib.access.scopes import Scope
from chalicelib.errors import Conflict, InvalidInput, NotFound, NotPermitted, UnknownReference
from chalicelib.operations.api.users import known_partner
from chalicelib.storage.ids import public_id, raw_id
from chalicelib.web import pages
from chalicelib.web.call import Call
from chalicelib.web.endpoint import endpoint
from chalicelib.web.pages import Page, PageQuery
from chalicelib.web.paths import KeyId
from chalicelib.web.shapes import Body, Moment, PublicId, View

blueprint = Blueprint(__name__)


class ApiKeyView(View):
    """A key without its secret. ``revoked_at`` in the future: a replaced key in its overlap."""

    id: PublicId
    prefix: str = Field(description="The second part of the key's text; finds a key one has at hand.")
    name: str
    user_id: PublicId | None
    partner_id: PublicId | None
    scopes: list[Scope]
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    revoked_at: datetime | None
    replaced_by: PublicId | None
    last_used_at: datetime | None = Field(description="To about a minute.")

    @classmethod
    def of(cls, key: ApiKey) -> "ApiKeyView":
        """The key as shown."""
        return cls(**_shown(key))


class NewKeyView(ApiKeyView):
    """A key just made, with the text that authenticates."""

    key: str = Field(description="Send it as `Authorization: Bearer …`. It is shown this once.")

    @classmethod
    def made(cls, key: ApiKey, text: str) -> "NewKeyView":
        """The key as shown once."""
        return cls(**_shown(key), key=text)


def _shown(key: ApiKey) -> dict[str, object]:
    return {
        "id": public_id("key", key.id),
        "prefix": key.prefix,
        "name": key.name,
        "user_id": key.user_id and public_id("usr", key.user_id),
        "partner_id": key.partner_id and public_id("par", key.partner_id),
        "scopes": sorted(key.scopes),
        "created_at": key.created_at,
        "created_by": key.created_by,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
        "replaced_by": key.replaced_by and public_id("key", key.replaced_by),
        "last_used_at": key.last_used_at,
    }


class KeyFilter(PageQuery):
    """Whose keys are wanted."""

    user_id: str | None = Field(
        default=None, description="Id of the user who owns them.", examples=["usr_01m80ezmgbefm8btvg41ypyz86"]
    )


class NewKey(Body):
    """What the key may do, and whose it is: a user's, a partner's, or, with neither, one's own."""

    name: str = Field(min_length=1, max_length=200)
    scopes: frozenset[Scope] = Field(min_length=1, examples=[["accruals:write", "ledger:read"]])
    user_id: str | None = None
    partner_id: str | None = Field(default=None, description="Id or code of the partner whose key it is.")
    expires_at: Moment | None = Field(default=None, description="When it ends; null: never.")


class Rotation(Body):
    """How long the old secret stays valid beside the new one."""

    overlap_hours: int = Field(default=24, ge=0, le=720)


@endpoint(blueprint, "GET /v1/api-keys", scope=Scope.KEYS_ADMIN)
def list_keys(call: Call, query: KeyFilter) -> Page[ApiKeyView]:
    """List keys, oldest first, revoked ones too; no secret is shown."""
    user_id = None
    if query.user_id is not None:
        user_id = users.find(call.db, raw_id("usr", query.user_id), partner_id=call.partner_scope).id
    found = keys.in_order(
        call.db,
        partner_id=call.partner_scope,
        user_id=user_id,
        after_id=pages.after_id(call, query),
        limit=query.limit + 1,
    )
    return pages.page(call, query, found, view=ApiKeyView.of, position=lambda key: (key.id,))


@endpoint(
    blueprint,
    "POST /v1/api-keys",
    scope=Scope.KEYS_ADMIN,
    status=201,
    idempotent="required",
    raises=[InvalidInput, UnknownReference, NotFound, NotPermitted],
)
def create_key(call: Call, body: NewKey) -> NewKeyView:
    """Create a key and show its text, once; it cannot do more than its owner or than the key that creates it."""
    user_id = None
    if body.user_id is not None:
        user_id = users.find(call.db, raw_id("usr", body.user_id), partner_id=call.partner_scope).id
    partner_id = None if body.partner_id is None else known_partner(call, body.partner_id)
    if user_id is None and partner_id is None:
        user_id = call.principal.user_id
        partner_id = None if user_id is not None else call.partner_scope
    made, text = keys.create(
        call.db,
        name=body.name,
        scopes=body.scopes,
        user_id=user_id,
        partner_id=partner_id,
        expires_at=body.expires_at,
        granted_by=call.principal,
        caller=call.caller,
        now=call.now,
    )
    return NewKeyView.made(made, text)


@endpoint(
    blueprint,
    "POST /v1/api-keys/{key_id}/rotate",
    scope=Scope.KEYS_ROTATE,
    status=201,
    idempotent="required",
    raises=[NotFound, Conflict, NotPermitted],
)
def rotate_key(call: Call, key_id: KeyId, body: Rotation) -> NewKeyView:
    """Replace a key by one with the same rights and show its text, once; the old one stays valid for the overlap."""
    made, text = keys.rotate(
        call.db,
        raw_id("key", key_id),
        overlap=timedelta(hours=body.overlap_hours),
        granted_by=call.principal,
        caller=call.caller,
        now=call.now,
    )
    return NewKeyView.made(made, text)


@endpoint(blueprint, "DELETE /v1/api-keys/{key_id}", scope=Scope.KEYS_ADMIN, raises=[NotFound])
def revoke_key(call: Call, key_id: KeyId) -> ApiKeyView:
    """Revoke a key: within two seconds no request with it is served. Revoking it again changes nothing."""
    return ApiKeyView.of(
        keys.revoke(call.db, raw_id("key", key_id), partner_id=call.partner_scope, caller=call.caller, now=call.now)
    )
