"""The shapes of ``benchmarks.rules`` as a careful programmer writes them: Decimal, guarded against null, rounded."""

from collections.abc import Callable, Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

Facts = Mapping[str, Any]
Tables = Mapping[str, Mapping[str, str]]
Outputs = dict[str, Any]

CENT = Decimal("0.01")
NOUGHT = Decimal("0.00")
EARNING_COUNTRIES = frozenset({"DEU", "AUT", "CHE", "FRA", "ITA"})
GERMAN = frozenset({"DEU", "AUT", "CHE"})


class Refused(Exception):
    """The record has no answer."""


def predicate(facts: Facts, tables: Tables) -> Outputs | None:
    """Whether an employee is eligible."""
    del tables
    status, on_leave, country = facts["status"], facts["on_leave"], facts["country"]
    tenure, hours, contract = facts["tenure_months"], facts["weekly_hours"], facts["contract"]
    union, absences = facts["union"], facts["absences"]
    if status is None or on_leave is None or country is None or hours is None or contract is None or absences is None:
        raise Refused
    return {
        "eligible": status == "ACTIVE"
        and not on_leave
        and country in EARNING_COUNTRIES
        and tenure is not None
        and tenure >= 6
        and (hours >= 20 or contract == "PERMANENT")
        and (union is None or union != "U9")
        and absences < 10
    }


def tiers(facts: Facts, tables: Tables) -> Outputs | None:
    """The points of hours, by tenure, grade and part-time factor, up to the cap."""
    event_type, quantity = facts["event_type"], facts["quantity"]
    tenure, grade, percent = facts["tenure_months"], facts["grade"], facts["fte_pct"]
    already = facts["points_this_month"]
    if event_type is None or quantity is None or already is None:
        raise Refused
    if event_type not in {"HOURS", "OVERTIME"}:
        return None
    months = 0 if tenure is None else tenure
    rate = _rate(months)
    factors = tables["grade-factor"]
    code = "E1" if grade is None else grade
    if code not in factors:
        raise Refused
    part_time = (Decimal(100) if percent is None else percent) / 100
    earned = quantity * rate * Decimal(factors[code]) * part_time
    points = min(earned, max(400 - already, Decimal(0)))
    return {"points": points.quantize(CENT, ROUND_HALF_UP) or NOUGHT}


RATES = (Decimal("1.0"), Decimal("1.25"), Decimal("1.5"), Decimal("1.75"))


def _rate(months: int) -> Decimal:
    if months < 24:
        return RATES[0]
    if months < 60:
        return RATES[1]
    return RATES[2] if months < 120 else RATES[3]


_NEEDED = (
    "partner_code", "employee_id", "first_name", "last_name", "program_code", "status", "available", "held", "country",
    "zip", "consent", "version",
)  # fmt: skip
WORTH = Decimal("0.85")
GOLD, SILVER = Decimal(1000), Decimal(250)


def mapping(facts: Facts, tables: Tables) -> Outputs | None:
    """A member as the store wants it."""
    for name in _NEEDED:
        if facts[name] is None:
            raise Refused
    customer_no, email, status = facts["customer_no"], facts["email"], facts["status"]
    available, held, expiring = facts["available"], facts["held"], facts["next_expiry_points"]
    first_name, last_name, country = facts["first_name"], facts["last_name"], facts["country"]
    return {
        "customerNo": facts["partner_code"] + "_" + facts["employee_id"] if customer_no is None else customer_no,
        "lastName": last_name,
        "firstName": first_name,
        "displayName": first_name + " " + last_name,
        "email": "" if email is None else email,
        "program": facts["program_code"],
        "status": "active" if status == "ACTIVE" else "paused" if status == "LEAVE" else "closed",
        "available": _exact(available),
        "held": _exact(held),
        "spendable": _exact(available - held),
        "expiryDate": facts["next_expiry_date"],
        "expiryPoints": None if expiring is None else _exact(expiring),
        "expires": facts["next_expiry_date"] is not None,
        "country": tables["iso-country"].get(country, "ZZ"),
        "language": "de" if country in GERMAN else "en",
        "area": facts["zip"][0:3],
        "level": "gold" if available >= GOLD else "silver" if available >= SILVER else "basic",
        "worth": (available * WORTH).quantize(CENT, ROUND_HALF_UP) or NOUGHT,
        "marketing": facts["consent"] and email is not None,
        "version": facts["version"],
    }


def _exact(amount: Decimal) -> Decimal:
    """The amount with two decimal places; more are refused."""
    rounded = amount.quantize(CENT)
    if rounded != amount:
        raise Refused
    return rounded or NOUGHT


BY_HAND: Mapping[str, Callable[[Facts, Tables], Outputs | None]] = {
    "predicate": predicate,
    "tiers": tiers,
    "mapping": mapping,
}
