"""The same two endpoints as a team would write them: FastAPI, pydantic, the SQLAlchemy ORM, a session a request.

It checks the key in the database, validates, refuses duplicates by the unique key, decides by a tier table in
Python and writes event, transfer, lot, counters and outbox in one transaction. It has no rule versions, no facts and
no idempotent answers.
"""

import hashlib
import json
import os
import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Header, HTTPException
from pydantic import BaseModel
from sqlalchemy import create_engine, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker

from chalicelib.access.models import api_key
from chalicelib.deliveries.models import delivery
from chalicelib.partners.models.partners import member
from chalicelib.points.models.ledger import account, accrual_event, lot, transfer

_WORLD: dict[str, Any] = json.loads(os.environ["BENCH_WORLD"])
_PARTNER, _PROGRAM, _ISSUANCE, _TARGET, _VERSION = (
    bytes.fromhex(_WORLD[name]) for name in ("partner_id", "program_id", "issuance_id", "target_id", "version_id")
)
engine = create_engine(
    f"mysql+pymysql://root@localhost/{os.environ['BENCH_DATABASE']}?unix_socket={os.environ['BENCH_SOCKET']}",
    isolation_level="READ COMMITTED",
    pool_size=20,
    max_overflow=40,
    connect_args={"ssl_disabled": True},
)
make_session = sessionmaker(engine)


class Base(DeclarativeBase):
    """The mapped classes of the service."""


class Key(Base):
    """An API key."""

    __table__ = api_key


class Member(Base):
    """An employee."""

    __table__ = member


class Account(Base):
    """Four counters."""

    __table__ = account


class Event(Base):
    """Why points moved."""

    __table__ = accrual_event


class Transfer(Base):
    """What moved."""

    __table__ = transfer


class Lot(Base):
    """What expires together."""

    __table__ = lot


class Delivery(Base):
    """What the store must hear."""

    __table__ = delivery


class NewAccrual(BaseModel):
    """The body of POST /accruals."""

    program_code: str
    event_id: str
    employee_id: str
    event_type: str
    event_date: date
    quantity: Decimal
    unit: str


class Accrued(BaseModel):
    """The answer of POST /accruals."""

    id: str
    points: Decimal
    outcome: str


class Balance(BaseModel):
    """The answer of GET /balance."""

    available: Decimal
    held: Decimal
    next_expiry: date | None


app = FastAPI()


def session() -> Iterator[Session]:
    """One session a request."""
    with make_session() as opened:
        yield opened


Db = Annotated[Session, Depends(session)]


def caller(db: Db, authorization: Annotated[str, Header()]) -> Key:
    """The key of the request, looked up."""
    given = authorization.removeprefix("Bearer ")
    prefix = given.split("_")[1]
    key = db.scalar(select(Key).where(api_key.c.prefix == prefix))
    if key is None or key.secret_hash != hashlib.sha256(given.encode()).digest():
        raise HTTPException(401)
    return key


Caller = Annotated[Key, Depends(caller)]


@app.get("/balance/{member_id}")
def balance(db: Db, _caller: Caller, member_id: str) -> Balance:
    """What a member has."""
    found = db.scalar(select(Account).where(account.c.owner_id == bytes.fromhex(member_id)))
    if found is None:
        raise HTTPException(404)
    expires = db.scalar(
        select(func.min(lot.c.expires_on)).where(lot.c.account_id == found.id, lot.c.remaining_minor > 0)
    )
    available = found.credits_posted - found.debits_posted - found.debits_pending
    return Balance(available=Decimal(available) / 100, held=Decimal(found.debits_pending) / 100, next_expiry=expires)


@app.post("/accruals", status_code=201)
def accrue(db: Db, _caller: Caller, body: NewAccrual) -> Accrued:
    """Record one event and post its points."""
    employee = db.scalar(
        select(Member).where(member.c.partner_id == _PARTNER, member.c.employee_id == body.employee_id)
    )
    if employee is None:
        raise HTTPException(422, "unknown member")
    owned = db.scalar(select(Account).where(account.c.owner_id == employee.id).with_for_update())
    if owned is None:
        raise HTTPException(422, "not enrolled")
    now = datetime.now(UTC)
    points = _points(employee, body)
    event = Event(
        id=uuid.uuid4().bytes,
        partner_id=_PARTNER,
        event_id=body.event_id,
        content_hash=bytes(32),
        program_id=_PROGRAM,
        member_id=employee.id,
        account_id=owned.id,
        event_type=body.event_type,
        event_date=body.event_date,
        outcome="posted",
        points_minor=points,
        ruleset_version_id=_VERSION,
        facts=body.model_dump_json(),
        actor="bench",
        correlation_id="bench",
        received_at=now,
    )
    moved = Transfer(
        id=uuid.uuid4().bytes,
        partner_id=_PARTNER,
        program_id=_PROGRAM,
        account_id=owned.id,
        entry_no=owned.entry_no + 1,
        version=owned.entry_no + 1,
        debit_account_id=_ISSUANCE,
        credit_account_id=owned.id,
        amount_minor=points,
        kind="accrual",
        source_id=event.id,
        business_date=body.event_date,
        posted_at=now,
    )
    earned = Lot(
        id=moved.id,
        partner_id=_PARTNER,
        account_id=owned.id,
        expires_on=date(2028, 11, 30),
        amount_minor=points,
        remaining_minor=points,
        held_minor=0,
    )
    db.add_all([event, moved, earned])
    owned.credits_posted += points
    owned.entry_no += 1
    owned.changed_at = now
    _announce(db, owned.id, now)
    try:
        db.commit()
    except IntegrityError as error:
        raise HTTPException(409, "duplicate event") from error
    return Accrued(id=event.id.hex(), points=Decimal(points) / 100, outcome="posted")


def _points(employee: Member, body: NewAccrual) -> int:
    months = (body.event_date.year - employee.hire_date.year) * 12 + body.event_date.month - employee.hire_date.month
    rate = Decimal("1.0") if months < 24 else Decimal("1.25") if months < 60 else Decimal("1.5")
    return int((body.quantity * rate).quantize(Decimal("0.01"), ROUND_HALF_UP) * 100)


def _announce(db: Session, account_id: bytes, now: datetime) -> None:
    waiting = db.scalar(
        select(Delivery).where(
            delivery.c.target_id == _TARGET,
            delivery.c.entity == "balance",
            delivery.c.entity_key == account_id.hex(),
            delivery.c.unclaimed,
        )
    )
    if waiting is not None:
        waiting.changed_at = now
        return
    db.add(
        Delivery(
            id=uuid.uuid4().bytes,
            partner_id=_PARTNER,
            target_id=_TARGET,
            kind="state",
            entity="balance",
            entity_key=account_id.hex(),
            unclaimed=True,
            state="ready",
            attempts=0,
            next_at=now,
            created_at=now,
            changed_at=now,
        )
    )
