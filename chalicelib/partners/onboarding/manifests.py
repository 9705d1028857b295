"""A partner's manifest as it would have to be written today."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.engine import Connection

from chalicelib.deliveries import targets
from chalicelib.language import parse_json
from chalicelib.partners.directory import Partner
from chalicelib.partners.models.partners import partner as partner_table
from chalicelib.partners.onboarding.manifest import ProgramDocument
from chalicelib.partners.programs import programs
from chalicelib.partners.programs.programs import ProgramSpec
from chalicelib.records import dataclass


@dataclass(frozen=True, slots=True)
class Written:
    """A manifest; ``as_applied`` False: its programs have been changed by other ways since."""

    document: Mapping[str, Any]
    as_applied: bool


def of(db: Connection, partner: Partner) -> Written:
    """The manifest that was applied last, with the programs as they are now: applying it changes nothing.

    For a partner that no manifest made, one of what there is: it names no layouts.
    """
    text = db.execute(select(partner_table.c.manifest).where(partner_table.c.id == partner.id)).scalar_one()
    document: dict[str, Any] = _of_nothing(db, partner) if text is None else parse_json(text)
    said = {program["code"]: program for program in document.get("programs", ())}
    now = {
        program.code: _written(programs.spec_of(program), said.get(program.code, {}))
        for program in programs.of_partner(db, partner.id).values()
    }
    if text is not None and said == now:
        return Written(document, as_applied=True)
    return Written({**document, "programs": [now[code] for code in sorted(now)]}, as_applied=False)


def names_layout(db: Connection, partner: Partner, name: str) -> bool:
    """Whether the manifest that was applied last lists a layout."""
    text = db.execute(select(partner_table.c.manifest).where(partner_table.c.id == partner.id)).scalar_one()
    return text is not None and name in parse_json(text).get("layouts", ())


def is_house(db: Connection, partner: Partner) -> bool:
    """Whether the manifest that was applied last says that this is the retailer itself, or one of its systems."""
    text = db.execute(select(partner_table.c.manifest).where(partner_table.c.id == partner.id)).scalar_one()
    return text is not None and parse_json(text).get("house") is True


def houses(db: Connection) -> list[bytes]:
    """The partners that are the retailer itself, or one of its systems."""
    rows = db.execute(
        select(partner_table.c.id, partner_table.c.manifest)
        .where(partner_table.c.manifest.contains('"house"'))
        .order_by(partner_table.c.id)
    )
    return [partner_id for partner_id, text in rows if parse_json(text).get("house") is True]


def _of_nothing(db: Connection, partner: Partner) -> dict[str, Any]:
    return {
        "code": partner.code,
        "name": partner.name,
        "industry": partner.industry,
        "time_zone": partner.time_zone,
        "contacts": [dict(contact) for contact in partner.contacts],
        "programs": [],
        "targets": [targets.written(target) for target in targets.of_partner(db, partner.id)],
    }


def _written(spec: ProgramSpec, said: Mapping[str, Any]) -> dict[str, Any]:
    """A program as a manifest has it: in the manifest's own words where they mean the same."""
    if said and ProgramDocument.model_validate(said).spec() == spec:
        return dict(said)
    written: dict[str, Any] = {
        "code": spec.code,
        "name": spec.name,
        "kind": spec.kind,
        "unit": spec.unit,
        "scale": spec.scale,
        "time_zone": spec.time_zone,
        "ruleset": spec.ruleset_code,
        "effective_from": spec.effective_from.isoformat(),
        "lots": spec.lots,
    }
    optional = {"enrolment": spec.enrolment, "corrections": spec.corrections, "terms": spec.terms}
    return written | {name: value for name, value in optional.items() if value is not None or name in said}
