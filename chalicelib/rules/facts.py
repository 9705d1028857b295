"""What each kind of rule may read: the facts that the rooms above give to a decision, with their types.

A ruleset declares the facts it uses under ``inputs``. The list is here because a misspelt or mistyped fact must
be found when the rule is saved, and not on the day when the first event meets it.
"""

from collections.abc import Mapping

from chalicelib.language import Declared
from chalicelib.language.declared import Aggregate
from chalicelib.language.faults import Report, at
from chalicelib.records import dataclass
from chalicelib.rules import entities
from chalicelib.rules.entities import EntityField

_TEXTS = frozenset({"string", "enum"})


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact: its type in the language, what it means, and whether some records come without it."""

    type: str
    meaning: str
    nullable: bool = False
    scale: int | None = None
    values: tuple[str, ...] = ()
    personal: bool = False


def _field(field: EntityField, meaning: str) -> Fact:
    """A fact that a file or a request brings in as it is."""
    return Fact(field.type, meaning, nullable=field.nullable, scale=field.scale, values=field.values)


#: Of the member, as the roster row in force on the day of the decision tells them.
MEMBER: Mapping[str, Fact] = {
    "status": Fact("enum", "Whether the member is employed.", values=("active", "terminated")),
    **{
        name: _field(entities.ROSTER[name], meaning)
        for name, meaning in (
            ("hire_date", "First day of the current employment."),
            ("term_date", "Last day of employment."),
            ("job_code", "The partner's job code; of an event, its override wins."),
            ("country", "ISO 3166-1 alpha-2."),
            ("grade", "Pay grade."),
            ("department", "Department."),
            ("cost_center", "Cost centre."),
            ("location_code", "Location."),
            ("union_code", "Union or collective agreement."),
            ("fte_pct", "Part-time factor in percent: 100 is full time."),
        )
    },
}

#: Of an accrual event and its member; ``as_of`` is the event's date.
ACCRUAL: Mapping[str, Fact] = {
    **{
        name: _field(entities.ACCRUAL[name], meaning)
        for name, meaning in (
            ("event_type", "What happened."),
            ("quantity", "How much of it, in `unit`."),
            ("unit", "HOUR, POINT or a currency."),
            ("amount", "Money that the event is about."),
            ("currency", "ISO 4217 code of `amount`."),
            ("pay_period", "The partner's name of the pay period."),
            ("category", "The partner's own kind of it: what was bought, which campaign."),
        )
    },
    **MEMBER,
}

#: Of one line of a cart and who would buy it; ``as_of`` is the program's date.
ELIGIBILITY: Mapping[str, Fact] = {
    "program_code": Fact("string", "The program that would pay."),
    "tier": Fact("string", "The member's tier in the program.", nullable=True),
    "enrolled_since": Fact("date", "First day of the member's present period in the program."),
    "sku": Fact("string", "The article.", nullable=True),
    "category": Fact("string", "The article's category.", nullable=True),
    "garment_group": Fact("string", "The garment group, by the catalogue or as the cart says.", nullable=True),
    "quantity": Fact("integer", "How many pieces the line is of."),
    "price": Fact("decimal", "Price of one piece in money.", nullable=True, scale=6),
    "currency": Fact("string", "ISO 4217 code of `price`.", nullable=True),
    "available": Fact("decimal", "What the member may spend in the program now, less the lines before.", scale=6),
    "used": Fact("integer", "Pieces of the group bought or held in its period, with those of the lines before."),
    "quantity_limit": Fact("integer", "Pieces of the group that may be bought in its period.", nullable=True),
    **MEMBER,
}

#: Of a member's balance in one program, as it leaves for another system; ``as_of`` is the day it leaves.
BALANCE: Mapping[str, Fact] = {
    "partner_code": Fact("string", "The partner's code."),
    "program_code": Fact("string", "The program's code."),
    "employee_id": Fact("string", "The partner's number of the employee."),
    "customer_no": Fact("string", "The store's number of the customer.", nullable=True),
    "last_name": Fact("string", "Last name.", personal=True),
    "available": Fact("decimal", "Points that may be spent now.", scale=6),
    "held": Fact("decimal", "Points reserved for orders.", scale=6),
    "lifetime_earned": Fact("decimal", "All points ever earned.", scale=6),
    "next_expiry_date": Fact("date", "Last day of the points that expire next.", nullable=True),
    "next_expiry_points": Fact("decimal", "How many expire then.", nullable=True, scale=6),
    "version": Fact("integer", "Grows with every change of the balance."),
}

#: Facts of a balance that are the same in all programs of a member.
OF_MEMBER = frozenset({"partner_code", "employee_id", "customer_no", "last_name"})

#: What a mapping maps, by its ``entity``.
ENTITIES: Mapping[str, Mapping[str, Fact]] = {"balance": BALANCE}


def examine(inputs: Mapping[str, Declared], facts: Mapping[str, Fact], report: Report) -> None:
    """Report each declared input that is no fact, or that does not hold what the fact may be."""
    for name, declared in inputs.items():
        pointer = at("/inputs", name)
        fact = facts.get(name)
        if fact is None:
            report.unknown(pointer, "fact", name, facts)
            continue
        _examine_type(pointer, declared, fact, report)
        if fact.personal and not declared.personal:
            report.add(
                f"{pointer}/personal",
                "personal_not_declared",
                f"`{name}` is personal and must be declared so, that it is masked wherever it is kept",
                expected="true",
                found="false",
            )


def examine_aggregates(aggregates: Mapping[str, Aggregate], inputs: Mapping[str, Declared], report: Report) -> None:
    """Report each event type of a sum that the rule's own ``event_type`` cannot be, or, undeclared, no event can."""
    declared = inputs.get("event_type")
    known = declared.values if declared is not None and declared.type == "enum" else ACCRUAL["event_type"].values
    for name, aggregate in aggregates.items():
        for event_type in aggregate.event_types:
            if event_type not in known:
                report.unknown(at(at("/aggregates", name), "event_types"), "event type", event_type, known)


def _examine_type(pointer: str, declared: Declared, fact: Fact, report: Report) -> None:
    if declared.type != fact.type and not {declared.type, fact.type} <= _TEXTS:
        report.add(
            f"{pointer}/type",
            "fact_has_other_type",
            f"the fact is of type {fact.type}",
            expected=fact.type,
            found=declared.type,
        )
        return
    if fact.values:
        for value in declared.values:
            if value not in fact.values:
                report.unknown(f"{pointer}/values", "value", value, fact.values)
    if fact.scale is not None and declared.scale is not None and declared.scale < fact.scale:
        report.add(
            f"{pointer}/scale",
            "fact_has_more_digits",
            f"the fact may have {fact.scale} digits after the decimal point",
            expected=f"at least {fact.scale}",
            found=str(declared.scale),
        )
