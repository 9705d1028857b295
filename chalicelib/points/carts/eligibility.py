"""May a member buy what is in a cart: line by line yes or no, why, by which rule, and how many pieces are left.

A member may be in several programs at once, one for each garment group or one for all. Each line goes to the program
whose catalogue knows it best; where that one says no, the next one is asked. Lines see what the lines before them take.
Nothing is written.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Context, Decimal
from typing import Any, Final, NamedTuple, TypeAlias

from sqlalchemy.engine import Connection

from chalicelib.errors import UnknownReference
from chalicelib.language import DecisionRefused, InputRefused
from chalicelib.partners.account_ids import MEMBER, account_id
from chalicelib.partners.members import enrolments
from chalicelib.partners.members.enrolments import Enrolment
from chalicelib.partners.members.members import MemberRef
from chalicelib.partners.programs import catalogs, programs, terms
from chalicelib.partners.programs.catalogs import Found, Group, Item
from chalicelib.partners.programs.programs import Program
from chalicelib.partners.programs.terms import Terms
from chalicelib.points.carts import consumption
from chalicelib.points.ledger import balances
from chalicelib.records import dataclass
from chalicelib.rules import code_tables, facts, rulesets
from chalicelib.rules.rulesets import LiveVersion

_EXACT: Final = Context(prec=60)
#: Programs in which a piece of the catalogue without a price costs one of the unit.
IN_PIECES: Final = frozenset({"allotment", "starter_set"})

_Pieces: TypeAlias = Mapping[tuple[bytes, str], Mapping[date, int]]


@dataclass(frozen=True, slots=True)
class CartLine:
    """One line of a cart. ``price`` is of one piece, in money; the garment group counts where no catalogue has one."""

    line: str
    quantity: int
    sku: str | None = None
    category: str | None = None
    garment_group: str | None = None
    price: Decimal | None = None
    currency: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer for one line. ``reason`` is a stable word; a rule may have words of its own.

    ``program`` is the one that pays or, of those asked, the first that does not; None: none knows the article.
    ``quantity_max``: how many pieces the line may have now, None for any number. ``points_minor`` is the price of the
    whole line in the program's unit, None where only its price in money is known. ``rule`` None: no rule was asked.
    """

    line: CartLine
    eligible: bool
    reason: str
    message: str
    program: Program | None = None
    garment_group: str | None = None
    quantity_max: int | None = None
    points_minor: int | None = None
    resets_on: date | None = None
    rule: LiveVersion | None = None


@dataclass(slots=True)
class Wallet:
    """What the member has in one program; ``available_minor`` shrinks by each line that is let through."""

    program: Program
    terms: Terms
    day: date
    enrolment: Enrolment | None
    available_minor: int
    held_minor: int
    rule: LiveVersion | None


class Checked(NamedTuple):
    """The answers in the order of the lines, and the programs that were asked, by code, before any line."""

    verdicts: Sequence[Verdict]
    wallets: Sequence[tuple[Program, int, int]]


def check(
    db: Connection,
    member: MemberRef,
    lines: Sequence[CartLine],
    *,
    program_code: str | None = None,
    now: datetime,
) -> Checked:
    """May the member, with the facts of today, buy these lines? ``program_code``: only this program is asked.

    Raises UnknownReference when the partner has no such program.
    """
    wallets = _wallets(db, member, program_code, now)
    found = catalogs.find(
        db,
        [each.program.id for each in wallets],
        {each.sku for each in lines if each.sku is not None},
        {each.category for each in lines if each.category is not None},
    )
    desk = _Desk(db, member, wallets, found, _bought(db, member, wallets, found, now))
    shown = [(each.program, each.available_minor, each.held_minor) for each in wallets]
    return Checked([desk.decide(line) for line in lines], shown)


def pieces_price(program: Program, item: Item | None) -> int | None:
    """What one piece costs in the program's unit, in minor units; None where only money tells."""
    if item is not None and item.points_minor is not None:
        return item.points_minor
    return 10**program.scale if program.kind in IN_PIECES else None


def _wallets(db: Connection, member: MemberRef, program_code: str | None, now: datetime) -> list[Wallet]:
    by_code = programs.of_partner(db, member.partner_id)
    if program_code is not None and program_code not in by_code:
        raise UnknownReference("The partner has no program of this code.", code="unknown_program")
    chosen = [each for code, each in by_code.items() if program_code in {None, code} and each.status == "active"]
    read = {each.id: terms.of(each.terms) for each in chosen}
    periods = enrolments.of_members(db, [member.id]).get(member.id, [])
    had = {each.program_id: each for each in balances.of(db, member.id, now=now)}
    codes = {each.eligibility for each in read.values() if each.eligibility is not None}
    timelines = rulesets.timelines(db, sorted(codes), known_at=now)
    wallets = []
    for program in chosen:
        day = programs.business_date(now, program)
        own = read[program.id]
        balance = had.get(program.id)
        enrolment = enrolled_on(member, program, own, periods, day)
        if enrolment is None and program_code is None:
            continue
        wallets.append(
            Wallet(
                program,
                own,
                day,
                enrolment,
                0 if balance is None else balance.available_minor,
                0 if balance is None else balance.held_minor,
                None if own.eligibility is None else timelines[own.eligibility].on(day),
            )
        )
    return wallets


def enrolled_on(
    member: MemberRef, program: Program, own: Terms, periods: Sequence[Enrolment], day: date
) -> Enrolment | None:
    """The member's period in a program on a day; within the grace of who has left, the last one."""
    ending = own.termination
    days = [day]
    left = member.term_date if member.status == "terminated" else None
    if ending is not None and ending.policy == "grace" and left is not None:
        grace_until = left + timedelta(days=ending.grace_days)
        days += [left] if left < day <= grace_until else []
    for each in periods:
        if each.program_id == program.id and any(
            each.valid_from <= one and (each.valid_to is None or one <= each.valid_to) for one in days
        ):
            return each
    return None


def _bought(db: Connection, member: MemberRef, wallets: Sequence[Wallet], found: Found, now: datetime) -> _Pieces:
    days = {each.program.id: each.day for each in wallets}
    limited = [(of, group) for (of, _), group in found.groups.items()]
    if not limited:
        return {}
    since = min(group.since(days[of]) for of, group in limited)
    accounts = [account_id(of, MEMBER, member.id) for of in {of for of, _ in limited}]
    return consumption.pieces(db, accounts, since=since, now=now)


class _Way(NamedTuple):
    """One program that could pay a line, the better known the lower ``rank``."""

    rank: int
    wallet: Wallet
    item: Item | None
    group: str | None


class _Said(NamedTuple):
    """An answer and its reason; ``most`` pieces may the line have, None: any number."""

    eligible: bool
    reason: str
    message: str
    most: int | None


class _Desk:
    """Decides the lines of one cart, one after the other."""

    def __init__(
        self, db: Connection, member: MemberRef, wallets: Sequence[Wallet], found: Found, bought: _Pieces
    ) -> None:
        self._db = db
        self._member = member
        self._wallets = wallets
        self._found = found
        self._bought = bought
        self._taken: dict[tuple[bytes, str], int] = {}

    def decide(self, line: CartLine) -> Verdict:
        """The answer of the best program that says yes, else of the best one."""
        if not self._wallets:
            return Verdict(line, eligible=False, reason="not_enrolled", message="The member is in no program today.")
        ways = sorted(self._ways(line), key=lambda way: (way.rank, way.wallet.program.code))
        if not ways:
            message = "No program of the member has this article in its catalogue."
            return Verdict(line, eligible=False, reason="not_in_catalog", message=message)
        refused: Verdict | None = None
        for way in ways:
            verdict = self._ask(line, way)
            if verdict.eligible:
                self._take(verdict, way)
                return verdict
            refused = refused or verdict
        assert refused is not None  # noqa: S101 - there was a way, and it said no
        return refused

    def _ways(self, line: CartLine) -> list[_Way]:
        ways = []
        for wallet in self._wallets:
            program_id = wallet.program.id
            if program_id not in self._found.kept:
                ways.append(_Way(3, wallet, None, line.garment_group))
                continue
            item = self._found.item(program_id, line.sku, line.category)
            if item is not None:
                ways.append(_Way(0 if item.kind == "sku" else 1, wallet, item, item.garment_group))
            elif line.garment_group is not None and (program_id, line.garment_group) in self._found.groups:
                ways.append(_Way(2, wallet, None, line.garment_group))
        return ways

    def _ask(self, line: CartLine, way: _Way) -> Verdict:
        wallet, program = way.wallet, way.wallet.program
        group = None if way.group is None else self._found.groups.get((program.id, way.group))
        price = pieces_price(program, way.item)
        used = self._used(wallet, way.group, group)
        said = self._by_limits(line, way, used, group)
        if said.eligible and wallet.terms.eligibility is not None:
            said = self._by_rule(line, way, used, group, said.most)
        return Verdict(
            line,
            eligible=said.eligible,
            reason=said.reason,
            message=said.message,
            program=program,
            garment_group=way.group,
            quantity_max=said.most,
            points_minor=None if price is None else price * line.quantity,
            resets_on=None if group is None else group.resets_on(wallet.day),
            rule=wallet.rule,
        )

    def _by_limits(self, line: CartLine, way: _Way, used: int, group: Group | None) -> _Said:
        """What the enrolment, the group's limit and the pieces that the member has say."""
        wallet, program = way.wallet, way.wallet.program
        if wallet.enrolment is None:
            return _Said(False, "not_enrolled", f"The member is not enrolled in {program.code} today.", 0)
        left: int | None = None
        if group is not None and group.quantity_max is not None:
            left = max(0, group.quantity_max - used)
            if line.quantity > left:
                told = f"{left} more pieces of {way.group} may be bought in this period."
                return _Said(False, "quantity_limit", told, left)
        price = pieces_price(program, way.item)
        if price and program.kind in IN_PIECES:
            pieces = max(0, wallet.available_minor) // price
            left = pieces if left is None else min(left, pieces)
            if line.quantity > left:
                return _Said(False, "allotment_used", f"The member has {left} pieces left in {program.code}.", left)
        return _Said(True, "eligible", "The program pays for this article.", left)

    def _by_rule(self, line: CartLine, way: _Way, used: int, group: Group | None, left: int | None) -> _Said:
        """What the rule in force says of a line that the limits let through, ``left`` pieces of it."""
        rule = way.wallet.rule
        if rule is None:
            told = f"No version of {way.wallet.terms.eligibility} is in force today."
            return _Said(False, "no_rule_in_force", told, 0)
        answer = self._asked(rule, line, way, used, group)
        if isinstance(answer, str):
            return _Said(False, "rule_refused", answer, 0)
        if answer is None:
            return _Said(False, "not_applicable", f"{rule.ruleset_code} does not apply to this line.", 0)
        most = answer.get("quantity_max")
        if isinstance(most, int):
            left = most if left is None else min(left, most)
        word = answer.get("reason")
        if not answer["eligible"]:
            told = f"{rule.ruleset_code} says no."
            return _Said(False, str(word or "not_eligible"), told, left if isinstance(most, int) else 0)
        if left is not None and line.quantity > left:
            return _Said(False, "quantity_limit", f"{rule.ruleset_code} lets {left} pieces through.", left)
        return _Said(True, str(word or "eligible"), f"{rule.ruleset_code} says yes.", left)

    def _asked(
        self, rule: LiveVersion, line: CartLine, way: _Way, used: int, group: Group | None
    ) -> dict[str, Any] | str | None:
        """What the rule in force answers; a text where it has no answer, and why."""
        wallet = way.wallet
        assert wallet.enrolment is not None  # noqa: S101 - the limits have seen to that
        compiled = rule.compiled
        member = self._member
        known: dict[str, Any] = {
            "program_code": wallet.program.code,
            "tier": wallet.enrolment.tier,
            "enrolled_since": wallet.enrolment.valid_from,
            "sku": line.sku,
            "category": line.category,
            "garment_group": way.group,
            "quantity": line.quantity,
            "price": line.price,
            "currency": line.currency,
            "available": Decimal(wallet.available_minor).scaleb(-wallet.program.scale, _EXACT),
            "used": used,
            "quantity_limit": None if group is None else group.quantity_max,
            **{name: getattr(member, name, None) for name in facts.MEMBER},
            **{name: value for name, value in member.attributes.items() if name in facts.MEMBER},
        }
        names = tuple(sorted(compiled.code_tables))
        tables = code_tables.dated(self._db, names).on(wallet.day) if names else {}
        try:
            inputs = compiled.read({name: known[name] for name in compiled.inputs})
            return compiled.decide(inputs, as_of=wallet.day, code_tables=tables)
        except (InputRefused, DecisionRefused) as refusal:
            fault = refusal.faults[0] if refusal.faults else None
            place = "" if fault is None else f" {fault.pointer}: {fault.message}"
            return f"{rule.ruleset_code} has no answer:{place}"

    def _used(self, wallet: Wallet, name: str | None, group: Group | None) -> int:
        """Pieces of the group in its period, with those of the lines before."""
        if name is None:
            return 0
        key = (wallet.program.id, name)
        since = date.min if group is None else group.since(wallet.day)
        bought = sum(number for day, number in self._bought.get(key, {}).items() if day >= since)
        return bought + self._taken.get(key, 0)

    def _take(self, verdict: Verdict, way: _Way) -> None:
        if way.group is not None:
            key = (way.wallet.program.id, way.group)
            self._taken[key] = self._taken.get(key, 0) + verdict.line.quantity
        way.wallet.available_minor -= verdict.points_minor or 0
