"""Code tables that decide money: those that a rule or a layout of accruals looks up in which decides any day.

An entry of such a table says how many points people get, as the rule itself does; or what a partner's pay code is, paid
hours or nothing, which a layout asks before the rule. So where rules need approval, it changes only by a plan that a
second person has approved.
"""

from datetime import UTC, datetime
from typing import Final

from sqlalchemy import or_, select
from sqlalchemy.engine import Connection

from chalicelib.rules import documents
from chalicelib.rules.models import code_table, ruleset
from chalicelib.rules.versions import LiveVersion, timelines

#: Of two activations in one moment the later bears a later time than the clock's: all of them count.
_ALL_KNOWN: Final = datetime(9999, 12, 31, tzinfo=UTC)


def looked_up_by_live(db: Connection, table_code: str) -> list[str]:
    """The codes of the rulesets that decide money by a table: accrual rules, and layouts of accruals; none: free.

    Every version counts that decides some day, gone by or to come: a late event of a day gone by is still decided, by
    the entry that holds then.
    """
    wanted = select(ruleset.c.code).where(ruleset.c.kind.in_(("accrual", "layout"))).order_by(ruleset.c.code)
    owner = db.execute(select(code_table.c.partner_id).where(code_table.c.code == table_code)).scalar()
    if owner is not None:
        # Nobody else looks up in a partner's table.
        wanted = wanted.where(or_(ruleset.c.partner_id == owner, ruleset.c.partner_id.is_(None)))
    codes = list(db.execute(wanted).scalars())
    return [
        code
        for code, timeline in timelines(db, codes, known_at=_ALL_KNOWN).items()
        if any(_decides_by(version, table_code) for _, version in timeline.steps)
    ]


def _decides_by(version: LiveVersion, table_code: str) -> bool:
    if version.kind == "layout" and version.document.get("entity") != "accrual":
        return False
    return table_code in documents.compiled(version).code_tables
