"""Two members in two programs of one partner, each account beside its plain reference; what must agree, and always."""

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count, product
from random import Random
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.engine import Connection

from chalicelib.errors import Conflict, InvalidInput, NotFound, NotPermitted
from chalicelib.partners.programs.programs import Program
from chalicelib.points.finance import documents, figures, liability, months, settling, statements
from chalicelib.points.ledger import balances, trial_balance
from chalicelib.points.models.ledger import account, lot
from chalicelib.points.proof import checkpoints, checks, verifying
from chalicelib.points.spending import holds
from chalicelib.storage.engine import Database
from tests.factories import finance, partners, points
from tests.factories.points import CALLER, NOW, Earning
from tests.unit.points.stories.reference_corrections import Reference
from tests.unit.points.stories.reference_ledger import Refused

FIRST = NOW.date()
LIFE = 14
#: The last day of the plan year, counted from the first day.
YEAR_ENDS = 4
EMPLOYEES = ("E1", "E2")
PROGRAMS = ("uniform", "gear")
GRANT_POINTS = 300
#: The first days of the periods that are granted in advance, and the day after the last of them.
PERIODS = (0, 30, 61, 92)

#: What the hub answers to what may not be; anything else is a fault.
REFUSALS = (InvalidInput, Conflict, NotFound, NotPermitted)

Key = tuple[str, str]
#: Names are never used again, since several stories share a database.
_numbers = count()


@dataclass(frozen=True)
class Rules:
    """A program's choices, as the reference reads them."""

    life: int = LIFE
    keeps_held: bool = True
    refund_grace: int = 0
    reversal: str = "refuse"
    alone_up_to: int = 400
    carried_percent: int = 40
    carried_days: int | None = 20
    year_lapses: bool = False
    leaving: str | None = "forfeit"
    leaving_grace: int = 0
    leaving_releases: bool = False
    claws_back: bool = True
    refund_order: str = "points_first"

    @classmethod
    def drawn(cls, random: Random) -> "Rules":
        """Any of them."""
        return cls(
            keeps_held=random.random() < 0.5,
            refund_grace=random.choice([0, 5, 40]),
            reversal=random.choice(["refuse", "partial", "overdraft"]),
            carried_percent=random.choice([0, 40, 100]),
            carried_days=random.choice([20, None]),
            year_lapses=random.random() < 0.3,
            leaving=random.choice(["forfeit", "grace", "pay_out", None]),
            leaving_grace=random.choice([0, 3]),
            leaving_releases=random.random() < 0.5,
            claws_back=random.random() < 0.7,
            refund_order=random.choice(["points_first", "points_last", "pro_rata"]),
        )

    def program(self) -> dict[str, Any]:
        """The same as a manifest says it."""
        begins = FIRST + timedelta(days=YEAR_ENDS + 1)
        termination = {
            "policy": self.leaving,
            "grace_days": self.leaving_grace,
            "held": "release" if self.leaving_releases else "keep",
            "claw_back": self.claws_back,
        }
        terms: dict[str, Any] = {
            "value": finance.VALUE,
            "increases": {"request_max": "50"},
            "tender": {"point_value": "1", "currency": "USD", "refund": self.refund_order},
            "plan_year": {
                "begins": f"{begins:%m-%d}",
                "carry_over": {"percent": str(self.carried_percent), "grace_days": self.carried_days},
                "held": "lapse" if self.year_lapses else "carry",
            },
            "grants": [
                {"code": "monthly", "on": "period", "months": 1, "anchor": FIRST.isoformat(), "quantity": "2",
                 "event_type": "ALLOWANCE", "since": FIRST.isoformat()}
            ],
        }  # fmt: skip
        return {
            "lots": {
                "expires": {"days": self.life},
                "held_at_expiry": "keep" if self.keeps_held else "lapse",
                "refund_grace_days": self.refund_grace,
            },
            "corrections": {"reversal": self.reversal, "second_person_above": str(self.alone_up_to // 100)},
            "terms": terms if self.leaving is None else {**terms, "termination": termination},
        }


class Step(NamedTuple):
    """One operation on the hub, and the same on the reference of each account it may concern.

    ``plain`` is told what the hub made, None when it refused, and raises Refused where the reference refuses.
    ``left_out`` says of what accounts the hub refused a part of a batch. ``as_due``: of the accounts it looks only for
    those to which something is due, and locks no others.
    """

    name: str
    real: Callable[[Connection, datetime], Any]
    plain: Mapping[Key, Callable[[Reference, Any], None]]
    keep: Callable[[Any], None] = lambda _: None
    left_out: Callable[[Any], set[Key]] = lambda _: set()
    as_due: bool = False


def follow(step: Step, key: Key, reference: Reference, made: Any) -> None:
    """Do a step on one reference, which must do it exactly if the hub did."""
    refused = made is None or key in step.left_out(made)
    try:
        step.plain[key](reference, made)
    except Refused:
        assert refused, f"the hub did what the reference refuses: {step.name} of {key}"
    else:
        assert not refused, f"the hub refuses what the reference does: {step.name} of {key}"


@dataclass
class Story:
    """Where a story is: its accounts beside their references, and what steps can be about."""

    database: Database
    of: Mapping[Key, Earning]
    references: Mapping[Key, Reference]
    today: int = 0
    numbers: Any = _numbers
    moments: Any = field(default_factory=count)
    placed: list[Any] = field(default_factory=list)
    sold: list[Any] = field(default_factory=list)
    events: list[Any] = field(default_factory=list)
    corrections: list[Any] = field(default_factory=list)
    files: list[Any] = field(default_factory=list)
    asked: list[Any] = field(default_factory=list)
    carts: list[Any] = field(default_factory=list)
    left: set[str] = field(default_factory=set)
    closed: set[str] = field(default_factory=set)

    @classmethod
    def begin(cls, database: Database, random: Random) -> "Story":
        """Two members, two programs with rules of their own."""
        rules = {code: Rules.drawn(random) for code in PROGRAMS}
        with database.write() as db:
            made = points.make_earning(db, **rules["uniform"].program())
            finance.settled_by(db, made, accounts=finance.SETTLEMENT["accounts"] | finance.BALANCE_SHEET)
            other = partners.make_program(db, made.partner, "gear", **rules["gear"].program())
            # Once more, since the second program came later than the first member.
            members = {"E1": made.member, "E2": partners.make_member(db, made.partner, "E2")}
            partners.enrol(db, other, made.member)
        programs = {"uniform": made.program, "gear": other}
        of = {
            (employee, code): Earning(made.partner, programs[code], members[employee], made.version)
            for employee, code in product(EMPLOYEES, PROGRAMS)
        }
        return cls(database, of, {key: Reference(rules[key[1]]) for key in of})

    def now(self) -> datetime:
        """A moment of today that no other step has."""
        return NOW + timedelta(days=self.today, microseconds=next(self.moments))

    def programs(self) -> dict[bytes, Program]:
        """The programs by id."""
        return {each.program.id: each.program for each in self.of.values()}

    def take(self, step: Step) -> bool:
        """Do a step on both sides; whether the hub did it."""
        now = self.now()
        for reference in self.references.values():
            reference.today = self.today
        made = self.asked_of_the_hub(step, now)
        for key in step.plain:
            follow(step, key, self.references[key], made)
        return made is not None

    def asked_of_the_hub(self, step: Step, now: datetime) -> Any:
        """What the hub made of a step; None when it refused, as it may: it is never broken."""
        try:
            with self.database.write() as db:
                made = step.real(db, now)
        except REFUSALS:
            return None
        step.keep(made)
        return made

    def agree(self, codes: Collection[str] = PROGRAMS) -> None:
        """Accounts are as their references say, and the books of these programs add up."""
        now = self.now()
        with self.database.read() as db:
            for key, reference in self.references.items():
                reference.today = self.today
                self._account(db, self.of[key], reference, now)
            for key, name, made, _ in self.placed:
                assert holds.by_id(db, made).open_minor == self.references[key].holds.get(name, 0)
            for code in codes:
                self._program(db, code, now)
            self._statements(db, now)

    def _account(self, db: Connection, of: Earning, plain: Reference, now: datetime) -> None:
        found = db.execute(
            select(lot.c.expires_on, lot.c.remaining_minor, lot.c.held_minor)
            .where(lot.c.account_id == of.account_id, lot.c.amount_minor > 0)
            .order_by(lot.c.id)
        ).all()
        assert [tuple(row) for row in found] == [
            (FIRST + timedelta(days=each.last_day), each.left, sum(each.covers.values())) for each in plain.lots
        ]
        shown = [each for each in balances.of(db, of.member.id, now=now) if each.program_id == of.program.id]
        assert [(each.available_minor, each.held_minor) for each in shown] == (
            [(plain.available, sum(plain.holds.values()))] if plain.lots else []
        )
        owed = select(account.c.overdrawn_minor).where(account.c.id == of.account_id)
        assert (db.execute(owed).scalar_one_or_none() or 0) == plain.owed

    def _program(self, db: Connection, code: str, now: datetime) -> None:
        program = self.of["E1", code].program
        own = [reference for (_, of), reference in self.references.items() if of == code]
        [trial] = trial_balance.of(db, program_id=program.id)
        assert trial.difference_minor == 0
        houses = {line.kind: line.credits_minor - line.debits_minor for line in trial.lines if line.kind != "member"}
        for kind in ("issuance", "opening", "redemption", "expiry", "adjustment", "pay_out", "carry_over"):
            assert houses.get(kind, 0) == sum(each.house[kind] for each in own), kind
        assert sum(houses.values()) == -sum(each.balance for each in own)
        owed = liability.of(db, program, before=now)
        buckets = {bucket.span.name: bucket.points_minor for bucket in owed.buckets}
        assert owed.points_minor == sum(each.balance for each in own)
        assert buckets["owed"] == -sum(each.owed for each in own)
        over = sum(each.left for one in own for each in one.lots if each.last_day < self.today)
        assert buckets["expired"] == over
        assert checks.check(db, program.id) == []

    def _statements(self, db: Connection, now: datetime) -> None:
        partner = self.of["E1", "uniform"].partner
        month = months.named(f"{now:%Y-%m}", partner)
        closing = {
            (each.employee_id, each.program.code): each.closing_minor for each in statements.of(db, partner.id, month)
        }
        for key, reference in self.references.items():
            assert closing.get(key, 0) == reference.balance, key

    def prove(self) -> None:
        """Chain what was written, and verify the whole chain and all sums."""
        time.sleep(0.003)
        checkpoints.run(self.database, now=datetime.now(UTC) + checkpoints.LAG)
        with self.database.read() as db:
            first: int | None = 1
            while first is not None:
                verified = verifying.verify_chain(db, first)
                assert verified.faults == ()
                first = verified.following
            sums = verifying.verify_sums(db)
            assert (sums.breaks, sums.faults) == ((), ())

    def settle(self) -> None:
        """Every month up to now is settled: each document balances, and together they are what the ledger has."""
        partner = self.of["E1", "uniform"].partner
        end = FIRST + timedelta(days=self.today)
        first_days = sorted({(FIRST + timedelta(days=each)).replace(day=1) for each in range(self.today + 1)})
        after = (end.replace(day=1) + timedelta(days=32)).replace(day=2)
        lines: list[Any] = []
        with self.database.write() as db:
            for first_day in first_days:
                how = {"caller": CALLER, "now": finance.at(after)}
                made = settling.settle(db, partner, f"{first_day:%Y-%m}", **how).made
                assert made is not None
                lines += figures.stored(db, made.id)
                assert [each.difference_minor for each in documents.of_settlement(db, made.id)].count(0) == len(
                    documents.of_settlement(db, made.id)
                )
        for code in PROGRAMS:
            program = self.of["E1", code].program
            own = [each for each in lines if each.program_id == program.id]
            plain = [reference for (_, of), reference in self.references.items() if of == code]
            spent = sum(each.redeemed_minor - each.refunded_minor for each in own)
            assert spent == sum(each.house["redemption"] for each in plain)
            assert sum(each.lapsed_minor for each in own) == sum(each.house["expiry"] for each in plain)
            assert sum(each.paid_out_minor for each in own) == sum(each.house["pay_out"] for each in plain)
            assert sum(each.left_minor for each in own) == sum(each.balance for each in plain)
            assert not own or own[-1].difference_minor == 0
