"""/v1/users and /v1/me: who works with the hub."""

from datetime import datetime
from typing import Literal

from chalice.app import Blueprint
from pydantic import Field

from chalicelib.access import users
from chalicelib.access.scopes import Role, Scope
from chalicelib.access.users import User
from chalicelib.errors import Conflict, InvalidInput, NotFound, NotPermitted, UnknownReference
from chalicelib.partners import directory
from chalicelib.storage.ids import public_id, raw_id
from chalicelib.web import pages
from chalicelib.web.call import Call
from chalicelib.web.endpoint import endpoint
from chalicelib.web.pages import Page, PageQuery
from chalicelib.web.paths import UserId
from chalicelib.web.registry import Open
from chalicelib.web.shapes import Body, PublicId, View

blueprint = Blueprint(__name__)

Status = Literal["active", "disabled"]


class UserView(View):
    """A person who owns operator keys. ``partner_id`` null sees every partner."""

    id: PublicId
    email: str
    name: str
    role: Role
    partner_id: PublicId | None
    status: Status
    created_at: datetime

    @classmethod
    def of(cls, user: User) -> "UserView":
        """The user as shown."""
        return cls(
            id=public_id("usr", user.id),
            email=user.email,
            name=user.name,
            role=user.role,
            partner_id=user.partner_id and public_id("par", user.partner_id),
            status="active" if user.status == users.ACTIVE else "disabled",
            created_at=user.created_at,
        )


class UserFilter(PageQuery):
    """Which users are wanted."""

    role: Role | None = Field(default=None, description="Only users of this role.")
    status: Status | None = Field(default=None, description="Whether they may still do anything.")


class NewUser(Body):
    """Whom to let in. The role bounds what the user's keys may do."""

    email: str = Field(max_length=254, examples=["kim@example.com"])
    name: str = Field(min_length=1, max_length=200)
    role: Role
    partner_id: str | None = Field(
        default=None, description="The one partner the user may see: id or code; null: every partner."
    )


class UserChange(Body):
    """What to change; fields left out stay as they are."""

    name: str | None = Field(default=None, min_length=1, max_length=200)
    role: Role | None = None
    status: Status | None = None


class MeView(View):
    """What the key that asks stands for."""

    actor: str
    key_id: PublicId
    user_id: PublicId | None
    role: Role | None
    partner_id: PublicId | None = Field(description="The only partner whose data the key can see; null: every partner.")
    scopes: list[Scope]


@endpoint(blueprint, "GET /v1/me", scope=Open.AUTHENTICATED, transaction=False)
def me(call: Call) -> MeView:
    """Show who the key stands for and what it may do."""
    principal = call.principal
    return MeView(
        actor=principal.actor,
        key_id=public_id("key", principal.key_id),
        user_id=principal.user_id and public_id("usr", principal.user_id),
        role=principal.role,
        partner_id=principal.partner_id and public_id("par", principal.partner_id),
        scopes=sorted(principal.scopes),
    )


@endpoint(blueprint, "GET /v1/users", scope=Scope.USERS_ADMIN)
def list_users(call: Call, query: UserFilter) -> Page[UserView]:
    """List users, oldest first."""
    found = users.in_order(
        call.db,
        partner_id=call.partner_scope,
        role=query.role,
        status=query.status,
        after_id=pages.after_id(call, query),
        limit=query.limit + 1,
    )
    return pages.page(call, query, found, view=UserView.of, position=lambda user: (user.id,))


@endpoint(
    blueprint,
    "POST /v1/users",
    scope=Scope.USERS_ADMIN,
    status=201,
    idempotent=True,
    raises=[InvalidInput, UnknownReference, Conflict, NotPermitted],
)
def create_user(call: Call, body: NewUser) -> UserView:
    """Create a user, who then needs a key; the email names the user."""
    partner_id = call.partner_scope if body.partner_id is None else known_partner(call, body.partner_id)
    return UserView.of(
        users.create(
            call.db,
            email=body.email,
            name=body.name,
            role=body.role,
            partner_id=partner_id,
            granted_by=call.principal,
            caller=call.caller,
            now=call.now,
        )
    )


@endpoint(blueprint, "PATCH /v1/users/{user_id}", scope=Scope.USERS_ADMIN, raises=[NotFound, Conflict, NotPermitted])
def change_user(call: Call, user_id: UserId, body: UserChange) -> UserView:
    """Rename, change the role of, disable or enable a user; the user's keys follow within two seconds."""
    return UserView.of(
        users.change(
            call.db,
            raw_id("usr", user_id),
            name=body.name,
            role=body.role,
            status=body.status,
            granted_by=call.principal,
            caller=call.caller,
            now=call.now,
        )
    )


def known_partner(call: Call, text: str) -> bytes:
    """The partner of an id or code in a body. Raises NotFound when there is none, or when it is another partner's."""
    partner = directory.named(call.db, text)
    call.require_partner(partner.id)
    return partner.id
