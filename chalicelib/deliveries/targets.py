"""Targets: the outside systems of a partner, as its onboarding manifest names them."""

import json
from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError
from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.engine import Connection, RowMapping

from chalicelib import connectors
from chalicelib.access import audit
from chalicelib.access.caller import Caller
from chalicelib.deliveries.models import target
from chalicelib.errors import Fault, InterlineError, InvalidInput
from chalicelib.records import dataclass
from chalicelib.storage.ids import new_id, public_id
from chalicelib.web.shapes import Written
from chalicelib.web.wording import sentence

AGE_MAX_S: Final = 7 * 86_400
"""A message that could not be delivered for a week is for a person to decide."""

Status = Literal["active", "paused"]


class Frame(BaseModel):
    """What every target has in a manifest, whatever its connector; the rest of its members configure the connector.

    ``secret`` is the last part of the secret's name: ``store`` is kept as ``target/store`` behind the hub's prefix.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, defer_build=True)

    code: Annotated[str, Written("[a-z0-9][a-z0-9-]{0,63}", "A code has up to 64 small letters, digits and hyphens.")]
    connector: str = Field(min_length=1, max_length=40)
    secret: Annotated[
        str,
        Written("[A-Za-z0-9][A-Za-z0-9._-]{0,79}", "It has up to 80 letters, digits, points, hyphens and underscores."),
    ]
    mapping: str = Field(min_length=1, max_length=100)
    status: Status = "active"
    inflight_max: int | None = Field(None, ge=1, le=64)
    batch_max: int | None = Field(None, ge=1, le=1000)
    timeout_s: int | None = Field(None, ge=1, le=300)
    attempts_max: int | None = Field(None, ge=1, le=100)
    age_max_s: int = Field(AGE_MAX_S, ge=60)


@dataclass(frozen=True, slots=True)
class Target:
    """One outside system of one partner. ``config`` is its connector's; ``secret_name`` lacks the hub's prefix."""

    id: bytes
    partner_id: bytes
    code: str
    connector: str
    config: Mapping[str, JsonValue]
    secret_name: str
    mapping_code: str
    status: Status
    inflight_max: int
    batch_max: int
    timeout_s: int
    attempts_max: int
    age_max_s: int
    breaker_failures: int
    breaker_until: datetime | None
    breaker_opened: int
    breaker_reason: str | None
    filled_to: str | None


@dataclass(frozen=True, slots=True)
class Change:
    """What applying a manifest does, or would do, to one target. ``before`` is empty for a new one."""

    kind: Literal["create", "change", "unchanged"]
    code: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]


_LIMITS: Final = ("inflight_max", "batch_max", "timeout_s", "attempts_max", "age_max_s")
_COLUMNS: Final = tuple(target.c[field.name] for field in fields(Target))
#: What leads a target to another system, or tells it other things.
_ELSEWHERE: Final = frozenset({"connector", "config", "mapping_code"})
_OF_PARTNER: Final = select(*_COLUMNS).where(target.c.partner_id == bindparam("partner")).order_by(target.c.code)
_BY_ID: Final = select(*_COLUMNS).where(target.c.id == bindparam("target"))


def check(spec: Mapping[str, Any]) -> None:
    """Accept one target of a manifest. Raises InvalidInput; each fault points into the target's object."""
    _values(spec)


def plan(db: Connection, partner_id: bytes, spec: Mapping[str, Any]) -> Change:
    """What ``upsert`` would do. Raises InvalidInput."""
    wanted = _values(spec)
    found = _find(db, partner_id, wanted["code"])
    if found is None:
        return Change("create", wanted["code"], {}, wanted)
    before = {name: found[name] for name in wanted if found[name] != wanted[name]}
    after = {name: wanted[name] for name in before}
    return Change("change" if before else "unchanged", wanted["code"], before, after)


def upsert(db: Connection, partner_id: bytes, spec: Mapping[str, Any], *, caller: Caller, now: datetime) -> Change:
    """Make the partner's target of that code what the manifest says; audited when it changes. Raises InvalidInput.

    A new one, one that leads elsewhere or maps otherwise, and one that is active again will be filled.
    """
    change = plan(db, partner_id, spec)
    if change.kind == "unchanged":
        return change
    if change.kind == "create":
        target_id = new_id()
        row = {"id": target_id, "partner_id": partner_id, "created_at": now, "changed_at": now, "filled_to": ""}
        db.execute(insert(target), row | _columns(change.after))
    else:
        target_id = _find(db, partner_id, change.code)["id"]  # type: ignore[index]  # the plan has just found it
        refilled = {"filled_to": ""} if _to_be_filled(change) else {}
        columns = _columns(change.after) | refilled
        db.execute(update(target).where(target.c.id == target_id), columns | {"changed_at": now})
    audit.record(
        db,
        caller=caller,
        action=f"target.{change.kind}d",
        subject=public_id("tgt", target_id),
        partner_id=partner_id,
        before=change.before,
        after=change.after,
        now=now,
    )
    return change


def of_partner(db: Connection, partner_id: bytes) -> list[Target]:
    """The partner's targets by code."""
    return [_target(row) for row in db.execute(_OF_PARTNER, {"partner": partner_id}).mappings()]


def written(target: Target) -> dict[str, Any]:
    """A target as a manifest has it, everything said."""
    return {
        "code": target.code,
        "connector": target.connector,
        **target.config,
        "secret": target.secret_name.removeprefix("target/"),
        "mapping": target.mapping_code,
        **{name: getattr(target, name) for name in ("status", *_LIMITS)},
    }


def by_id(db: Connection, target_id: bytes, *, locked: bool = False) -> Target | None:
    """One target; ``locked``: its row is held until the transaction ends, which serialises the pump's decisions."""
    statement = _BY_ID.with_for_update() if locked else _BY_ID
    row = db.execute(statement, {"target": target_id}).mappings().first()
    return None if row is None else _target(row)


def _to_be_filled(change: Change) -> bool:
    """Whether what the outside system was told so far may not be what it would be told now."""
    return change.after.get("status") == "active" or bool(change.after.keys() & _ELSEWHERE)


def _find(db: Connection, partner_id: bytes, code: str) -> dict[str, Any] | None:
    chosen = select(target).where(target.c.partner_id == partner_id, target.c.code == code)
    row = db.execute(chosen).mappings().first()
    return None if row is None else {**row, "config": json.loads(row["config"])}


def _columns(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values of a manifest as the table keeps them."""
    if "config" not in values:
        return dict(values)
    return {**values, "config": json.dumps(values["config"], sort_keys=True, separators=(",", ":"))}


def _target(row: RowMapping) -> Target:
    return Target(**{**row, "config": json.loads(row["config"])})


def _values(spec: Mapping[str, Any]) -> dict[str, Any]:
    """What a manifest decides of a target, by column. Raises InvalidInput with every fault found."""
    faults: list[Fault] = []
    try:
        frame = Frame.model_validate(dict(spec))
    except ValidationError as error:
        faults = [
            Fault("/" + "/".join(map(str, wrong["loc"])), wrong["type"], sentence(wrong)) for wrong in error.errors()
        ]
        raise InvalidInput("The target is not usable.", code="target_unusable", faults=faults) from error
    config = {name: value for name, value in spec.items() if name not in Frame.model_fields}
    try:
        limits = connectors.limits_of(frame.connector)
        connectors.check_config(frame.connector, config)
    except InterlineError as error:
        faults = list(error.faults) or [Fault("/connector", error.code, error.message)]
        raise InvalidInput(error.message, code=error.code, faults=faults) from error
    return {
        "code": frame.code,
        "connector": frame.connector,
        "config": config,
        "secret_name": f"target/{frame.secret}",
        "mapping_code": frame.mapping,
        "status": frame.status,
        "inflight_max": frame.inflight_max or limits.inflight_max,
        "batch_max": frame.batch_max or limits.batch_max,
        "timeout_s": frame.timeout_s or int(limits.timeout_s),
        "attempts_max": frame.attempts_max or limits.attempts_max,
        "age_max_s": frame.age_max_s,
    }
