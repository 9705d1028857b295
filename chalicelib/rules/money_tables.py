"""Code tables that decide money: those that a rule or a layout of accruals looks up in which decides any day.

An entry of such a table says how many points people get, as the rule itself does; or what a partner's pay code is, paid
hours or nothing, which a layout asks before the rule. So where rules need approval, it changes only by a plan that a
second person has approved.
"""

from sqlalchemy import or_, select
from sqlalchemy.engine import Connection

from chalicelib.rules import documents
from chalicelib.rules.models import code_table, ruleset, ruleset_activation, ruleset_version
from chalicelib.rules.versions import LiveVersion, version


def looked_up_by_live(db: Connection, table_code: str) -> list[str]:
    """The codes of the rulesets that decide money by a table: accrual rules, and layouts of accruals; none: free.

    Every version counts that ever came to decide a day: a late event of a day gone by is still decided, by the entry
    that holds then; and a version that decides no day any more decides again once a rollback takes back the one that
    followed it, without another approval. Who holds the table's row locked finds every version that decides: whoever
    activates one locks its tables first.
    """
    wanted = (
        select(ruleset.c.code, ruleset_version.c.id)
        .join(ruleset_version, ruleset_version.c.ruleset_id == ruleset.c.id)
        .where(
            ruleset.c.kind.in_(("accrual", "layout")),
            ruleset_version.c.id.in_(select(ruleset_activation.c.version_id)),
            # Most versions do not even name the table; those that do may do so in a sentence only.
            ruleset_version.c.content.contains(table_code, autoescape=True),
        )
        .order_by(ruleset.c.code, ruleset_version.c.number)
    )
    owner = db.execute(select(code_table.c.partner_id).where(code_table.c.code == table_code)).scalar()
    if owner is not None:
        # Nobody else looks up in a partner's table.
        wanted = wanted.where(or_(ruleset.c.partner_id == owner, ruleset.c.partner_id.is_(None)))
    found = db.execute(wanted).all()
    return list(dict.fromkeys(row.code for row in found if _decides_by(version(db, row.id), table_code)))


def _decides_by(version: LiveVersion, table_code: str) -> bool:
    if version.kind == "layout" and version.document.get("entity") != "accrual":
        return False
    return table_code in documents.compiled(version).code_tables
