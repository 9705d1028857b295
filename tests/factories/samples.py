"""The sample partners of the repository: onboarded by their manifests, their sample files, what their members have."""

from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select

from chalicelib.partners import directory
from chalicelib.partners.models.partners import member
from chalicelib.partners.onboarding import onboarding
from chalicelib.points.ledger import balances
from chalicelib.storage.engine import Database
from tests.factories.files import Hub
from tests.factories.partners import CALLER
from tests.factories.rules import LONG_AGO, RULES, document

SAMPLES = Path(__file__).parents[2] / "samples"
#: The columns of the hub's own layouts that the stories of the programs need.
PERSON = "partner_code,employee_id,action,first_name,last_name,hire_date,job_code,grade,country,fte_pct,effective_date"
EVENT = "partner_code,program_code,event_id,employee_id,event_type,event_date,quantity,unit"
#: The partners that have nothing but programs: no store, and the hub's own layouts.
PROGRAM_PARTNERS = ("fairfield", "metro-transit", "st-brigid", "vega-motors")
_FOLDERS = {"layouts": "layouts", "rulesets": "rulesets", "code_tables": "code-tables"}


def bundle(code: str) -> dict[str, Any]:
    """A partner's manifest with the documents that are its own or shared."""
    found: dict[str, Any] = {"manifest": document(f"partners/{code}")}
    for part, folder in _FOLDERS.items():
        documents = [document(f"{folder}/{path.stem}") for path in sorted((RULES / folder).glob("*.json"))]
        found[part] = [each for each in documents if each["partner"] in {None, code}]
    return found


def onboard(database: Database, code: str) -> Hub:
    """The partner as its manifest and the documents that are its own or shared make it."""
    apply(database, bundle(code), now=LONG_AGO)
    with database.read() as db:
        return Hub(database, directory.named(db, code))


def apply(database: Database, given: dict[str, Any], *, now: datetime) -> None:
    """Bring a partner to what a bundle says."""
    with database.write() as db:
        onboarding.apply(db, given, dry_run=False, caller=CALLER, now=now)


def drop(hub: Hub, path: str) -> None:
    """Process one sample."""
    partner, layout, name = path.split("/")
    hub.process(layout, (SAMPLES / path).read_bytes(), name=name, partner=partner)


def send(hub: Hub, layout: str, header: str, *rows: str) -> list[tuple[str | None, str | None]]:
    """Drop a file of these rows, each without the partner's code; code and column of each row that is refused."""
    content = "\n".join([header, *(f"{hub.partner.code},{row}" for row in rows)]) + "\n"
    name = f"{layout}-{len(hub.files())}.csv"
    file = hub.process(layout, content, name=name, partner=hub.partner.code)
    assert file.state == "processed", file
    return [(row.code, row.column_name) for row in hub.rows(name) if row.outcome == "rejected"]


def told(hub: Hub, layout: str, header: str, *rows: str) -> None:
    """Drop a file of these rows, of which none may be refused."""
    refused = send(hub, layout, header, *rows)
    assert refused == []


def rejected(hub: Hub, name: str) -> Counter[str]:
    """How many rows of a file were rejected, by code."""
    return Counter(row.code for row in hub.rows(name) if row.outcome == "rejected")


def earned(hub: Hub, program: str) -> dict[str, str]:
    """All that everybody with points in a program ever earned there, in the program's decimals, by employee."""
    found = {}
    with hub.database.read() as db:
        people = select(member.c.id, member.c.employee_id).where(member.c.partner_id == hub.partner.id)
        for member_id, employee_id in db.execute(people.order_by(member.c.employee_id)).all():
            for balance in balances.of(db, member_id, now=hub.clock()):
                if balance.program_code == program:
                    found[employee_id] = str(balance.amount(balance.lifetime_minor))
    return found
