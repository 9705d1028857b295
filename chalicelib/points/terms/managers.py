"""Who may decide about a request for more: a manager of the partner, who is not who asked.

A manager is a user of the partner, or a key of the partner that may decide (``increases:approve``). Approvers of the
retailer decide only where the program's terms let them. A partner's own key says nothing of who uses it: between two of
them, the one that decides must not be able to ask, and neither may have been made of the other.
"""

from sqlalchemy.engine import Connection

from chalicelib.access import keys
from chalicelib.access.principal import Principal
from chalicelib.access.scopes import Scope
from chalicelib.errors import NotPermitted
from chalicelib.partners.programs import terms
from chalicelib.partners.programs.programs import Program
from chalicelib.points.terms.increases import Increase, OwnIncrease
from chalicelib.storage.ids import raw_id

_KEY = "key_"


class NotAManager(NotPermitted):
    """The partner's manager decides, by a key that says so."""

    code = "not_a_manager"


def require(db: Connection, program: Program, found: Increase, principal: Principal) -> None:
    """Let a principal, who has the right to decide, decide about this request.

    Raises NotAManager for the retailer's people where the program does not let them and for a partner's key that may
    ask as well, and OwnIncrease where one person may have had both keys in hand.
    """
    own = terms.of(program.terms).increases
    if principal.partner_id is None and (own is None or not own.retailer_decides):
        raise NotAManager("A manager of the partner decides about this request: the program lets nobody else.")
    by_keys = principal.user_id is None and found.author.startswith(_KEY)
    if by_keys and Scope.INCREASES_WRITE in principal.scopes:
        raise NotAManager(
            "A key of the partner asked, and this one may ask as well: decide with the key of a user, or with one that "
            "has increases:approve and not increases:write."
        )
    hands = keys.holders(db, principal.key_id)
    if found.author in hands or (by_keys and principal.actor in keys.holders(db, raw_id("key", found.author))):
        raise OwnIncrease("Who asked has had this key in hand, or made theirs of it: another person must decide.")
