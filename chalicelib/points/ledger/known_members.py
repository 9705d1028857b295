"""Of whom the points room keeps anything: such a member may not be forgotten, or its points would be nobody's."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Table, select
from sqlalchemy.engine import Connection

from chalicelib.partners.account_ids import MEMBER, account_id
from chalicelib.partners.programs import programs
from chalicelib.points.models.ledger import account, adjustment
from chalicelib.points.models.terms import increase_request, tender
from chalicelib.storage import bulk

#: What is asked for, ordered or promised without an account having been opened yet. All else that names a member has
#: entries, and they an account.
WITHOUT_ACCOUNT: Final[tuple[Table, ...]] = (adjustment, increase_request, tender)


def among(db: Connection, partner_id: bytes, member_ids: Sequence[bytes]) -> set[bytes]:
    """Those of a partner's members who have an account, or of whom something waits that would open one."""
    own = programs.of_partner(db, partner_id).values()
    owners = {account_id(program.id, MEMBER, member_id): member_id for program in own for member_id in member_ids}
    found: set[bytes] = set()
    for chunk in bulk.in_chunks(sorted(owners)):
        found |= {owners[key] for key in db.execute(select(account.c.id).where(account.c.id.in_(chunk))).scalars()}
        for table in WITHOUT_ACCOUNT:
            named = select(table.c.account_id).distinct().where(table.c.account_id.in_(chunk))
            found |= {owners[key] for key in db.execute(named).scalars()}
    return found
