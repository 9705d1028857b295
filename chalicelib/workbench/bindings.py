"""What asks a ruleset: programs their accrual and eligibility rules, targets their mapping, files their layouts."""

import json
from datetime import datetime
from typing import Final, Literal

from sqlalchemy import select
from sqlalchemy.engine import Connection

from chalicelib.deliveries.models import target
from chalicelib.files.formats import layouts
from chalicelib.partners import directory
from chalicelib.partners.models.partners import partner, program
from chalicelib.records import dataclass
from chalicelib.rules.catalogue import Listed

#: What asks rulesets, by kind; the other kinds have nobody yet who asks them.
_SILENCE: Final = {
    "eligibility": "No program's terms name this ruleset: it decides nothing until one's do.",
    "accrual": "No program names this ruleset: it decides nothing until one does.",
    "mapping": "No target names this ruleset: it maps nothing until one does.",
    "layout": "No manifest names this layout: it reads no file until one does.",
}


@dataclass(frozen=True, slots=True)
class Binding:
    """Something that asks a ruleset. ``object_id`` is None of a layout, which is bound by its name alone."""

    kind: Literal["program", "target", "layout"]
    partner_id: bytes
    partner_code: str
    code: str
    object_id: bytes | None


def of(db: Connection, asked: Listed, *, partner_id: bytes | None, now: datetime) -> list[Binding]:
    """All that asks a ruleset, by partner and code; only of ``partner_id``, unless that is None.

    A layout is asked about the files of each partner whose manifest names it.
    """
    found = _layouts(db, asked, now) if asked.kind == "layout" else [*_programs(db, asked), *_targets(db, asked)]
    seen = [binding for binding in found if partner_id in {None, binding.partner_id}]
    return sorted(seen, key=lambda binding: (binding.partner_code, binding.kind, binding.code))


def silence(kind: str) -> str:
    """Why a ruleset of a kind that nothing asks decides nothing, in a sentence."""
    return _SILENCE.get(kind, f"Nothing in the hub asks rulesets of the kind {kind} yet: it decides nothing.")


def _programs(db: Connection, asked: Listed) -> list[Binding]:
    query = select(program.c.partner_id, partner.c.code.label("partner_code"), program.c.code, program.c.id).join(
        partner, partner.c.id == program.c.partner_id
    )
    if asked.kind == "eligibility":
        named = query.add_columns(program.c.terms).where(program.c.terms.is_not(None)).order_by(program.c.id)
        return [
            Binding("program", *row[:-1])
            for row in db.execute(named)
            if json.loads(row.terms).get("eligibility") == asked.code
        ]
    return [Binding("program", *row) for row in db.execute(query.where(program.c.ruleset_code == asked.code))]


def _targets(db: Connection, asked: Listed) -> list[Binding]:
    query = (
        select(target.c.partner_id, partner.c.code.label("partner_code"), target.c.code, target.c.id)
        .join(partner, partner.c.id == target.c.partner_id)
        .where(target.c.mapping_code == asked.code)
    )
    return [Binding("target", *row) for row in db.execute(query)]


def _layouts(db: Connection, asked: Listed, now: datetime) -> list[Binding]:
    query = select(partner.c.id, partner.c.manifest).where(partner.c.manifest.is_not(None))
    if asked.partner_id is not None:
        query = query.where(partner.c.id == asked.partner_id)
    found = []
    for row in db.execute(query):
        of_partner = directory.known(db, row.id)
        name = asked.code if asked.partner_id is None else asked.code.removeprefix(f"{of_partner.code}.")
        if name not in json.loads(row.manifest).get("layouts", ()):
            continue
        # A partner's own layout goes before a shared one of the same name.
        live = layouts.in_force(db, of_partner, name, now=now)
        if live is None or live[0].ruleset_code == asked.code:
            found.append(Binding("layout", row.id, of_partner.code, name, None))
    return found
