"""Who may stand behind a version: a user in reach who did not write it, by a key that its author never had in hand."""

from sqlalchemy.engine import Connection

from chalicelib.access import keys, users
from chalicelib.access.scopes import Role
from chalicelib.errors import NotPermitted
from chalicelib.rules.versions import LiveVersion
from chalicelib.storage.ids import raw_id

_APPROVERS = frozenset({Role.ADMIN, Role.APPROVER})
_USER = "usr_"


def require(db: Connection, version: LiveVersion, actor: str) -> None:
    """Raise NotPermitted unless ``actor`` is a user who may stand behind this version: a second person, in reach.

    NotFound for a user that there is not.
    """
    name = f"{version.ruleset_code} version {version.number}"
    if actor == version.created_by:
        raise NotPermitted(f"{name} was written by its approver: another person must approve it.", code="own_approval")
    if not actor.startswith(_USER):
        raise NotPermitted("A person approves rules: use a key that belongs to a user.", code="not_an_approver")
    approver = users.find(db, raw_id("usr", actor), partner_id=None)
    in_reach = approver.partner_id is None or approver.partner_id == version.partner_id
    if approver.status != users.ACTIVE or approver.role not in _APPROVERS or not in_reach:
        raise NotPermitted(f"{actor} may not approve {name}.", code="not_an_approver")


def require_hands_apart(db: Connection, version: LiveVersion, actor: str, key_id: bytes) -> None:
    """Raise NotPermitted when author and approver may be one person who holds the keys of two.

    ``key_from_author``: the author made or rotated the key that approves, or one that it was made of.
    ``key_given_to_author``: the approver did so with a key of the author's that could have written the version. Making
    a user gives nobody a secret, so it is no matter here.
    """
    name = f"{version.ruleset_code} version {version.number}"
    if version.created_by in keys.holders(db, key_id):
        raise NotPermitted(
            f"The author of {name} has had this key in hand, or one that it was made of: approve with a key that "
            "somebody else made.",
            code="key_from_author",
        )
    if version.created_by.startswith(_USER):
        author = raw_id("usr", version.created_by)
        if actor in keys.held_for(db, author, at=version.created_at):
            raise NotPermitted(
                f"The approver has had a key of the author of {name} in hand: a third person must approve it.",
                code="key_given_to_author",
            )


def hands_on_both(db: Connection, version: LiveVersion, key_id: bytes) -> list[str]:
    """Who has had in hand both the key that approves and a key that could have written the version.

    That one person did both in two names is thereby possible, and no more than that: where one administrator makes all
    keys it is so of every approval. So it refuses nothing, and is kept for who audits.
    """
    if not version.created_by.startswith(_USER):
        return []
    author = raw_id("usr", version.created_by)
    return sorted(keys.holders(db, key_id) & keys.held_for(db, author, at=version.created_at))
