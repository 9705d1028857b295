"""The third shape of ``benchmarks.rules``: a record of the hub becomes the twenty fields that a store wants."""

import random
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from benchmarks.rule_shapes import COUNTRIES, Shape, chosen, coded, either, rounded, var

_GERMAN = ["DEU", "AUT", "CHE"]
_STATUS = {"if": [{"==": [var("status"), "ACTIVE"]}, "active", {"==": [var("status"), "LEAVE"]}, "paused", "closed"]}
_LEVEL = {"if": [{">=": [var("available"), 1000]}, "gold", {">=": [var("available"), 250]}, "silver", "basic"]}
_MARKETING = {"and": [var("consent"), {"!=": [var("email"), None]}]}
_LANGUAGE = {"if": [{"in": [var("country"), _GERMAN]}, "de", "en"]}
_ZIP = {"substr": [var("zip"), 0, 3]}
_DISPLAY = {"cat": [var("first_name"), " ", var("last_name")]}
_HUB_NUMBER = {"cat": [var("partner_code"), "_", var("employee_id")]}
_SPENDABLE = {"-": [var("available"), var("held")]}
# What a point is worth: a factor that makes many halves of a cent.
_WORTH = {"*": [var("available"), 0.85]}
_WORTH_EXACT = {"*": [var("available"), Decimal("0.85")]}

_INPUTS: dict[str, Any] = {
    "customer_no": {"type": "string", "nullable": True},
    "partner_code": {"type": "string"},
    "employee_id": {"type": "string"},
    "first_name": {"type": "string"},
    "last_name": {"type": "string"},
    "email": {"type": "string", "nullable": True},
    "program_code": {"type": "string"},
    "status": {"type": "enum", "values": ["ACTIVE", "LEAVE", "TERM"]},
    "available": {"type": "decimal", "scale": 6},
    "held": {"type": "decimal", "scale": 6},
    "next_expiry_date": {"type": "date", "nullable": True},
    "next_expiry_points": {"type": "decimal", "scale": 6, "nullable": True},
    "country": {"type": "string"},
    "zip": {"type": "string"},
    "consent": {"type": "boolean"},
    "version": {"type": "integer"},
}


def _text(expr: Any, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - any rule
    return {"type": "string", "expr": expr, **more}


def _amount(expr: Any, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - any rule
    return {"type": "decimal", "scale": 2, "expr": expr, **more}


_OUTPUTS: dict[str, Any] = {
    "customerNo": _text({"coalesce": [var("customer_no"), _HUB_NUMBER]}),
    "lastName": _text(var("last_name")),
    "firstName": _text(var("first_name")),
    "displayName": _text(_DISPLAY),
    "email": _text({"coalesce": [var("email"), ""]}),
    "program": _text(var("program_code")),
    "status": _text(_STATUS),
    "available": _amount(var("available")),
    "held": _amount(var("held")),
    "spendable": _amount(_SPENDABLE),
    "expiryDate": {"type": "date", "nullable": True, "expr": var("next_expiry_date")},
    "expiryPoints": _amount(var("next_expiry_points"), nullable=True),
    "expires": {"type": "boolean", "expr": {"!=": [var("next_expiry_date"), None]}},
    "country": _text({"lookup": ["iso-country", var("country"), {"on_miss": "default", "default": "ZZ"}]}),
    "language": _text(_LANGUAGE),
    "area": _text(_ZIP),
    "level": _text(_LEVEL),
    "worth": _amount(_WORTH_EXACT, rounding="half_up"),
    "marketing": {"type": "boolean", "expr": _MARKETING},
    "version": {"type": "integer", "expr": var("version")},
}
_PLAIN: dict[str, Any] = {
    **{name: declared["expr"] for name, declared in _OUTPUTS.items()},
    "customerNo": either("customer_no", _HUB_NUMBER),
    "email": either("email", ""),
    "country": coded(var("country"), COUNTRIES, "ZZ"),
    "worth": rounded(_WORTH),
}
_ZEN = {
    "customerNo": 'customer_no ?? (partner_code + "_" + employee_id)',
    "lastName": "last_name",
    "firstName": "first_name",
    "displayName": 'first_name + " " + last_name',
    "email": 'email ?? ""',
    "program": "program_code",
    "status": 'status == "ACTIVE" ? "active" : status == "LEAVE" ? "paused" : "closed"',
    "available": "available",
    "held": "held",
    "spendable": "available - held",
    "expiryDate": "next_expiry_date",
    "expiryPoints": "next_expiry_points",
    "expires": "next_expiry_date != null",
    "country": chosen('country == "{}"', [(code, f'"{name}"') for code, name in COUNTRIES.items()], '"ZZ"'),
    "language": 'country in ["DEU", "AUT", "CHE"] ? "de" : "en"',
    "area": "zip[0:2]",
    "level": 'available >= 1000 ? "gold" : available >= 250 ? "silver" : "basic"',
    "worth": "round(available * 0.85, 2)",
    "marketing": "consent and email != null",
    "version": "version",
}


def _member(rng: random.Random) -> dict[str, Any]:
    number = rng.randrange(100_000)
    expires = rng.random() < 0.7
    return {
        "customer_no": None if rng.random() < 0.4 else f"{number:08}",
        "partner_code": "aurora-air",
        "employee_id": f"E{number}",
        "first_name": rng.choice(("Ada", "Grace", "Edsger", "Barbara")),
        "last_name": rng.choice(("Okafor", "Brandt", "Müller", "D'Arcy")),
        "email": None if rng.random() < 0.2 else f"e{number}@example.com",
        "program_code": "uniform",
        "status": rng.choices(("ACTIVE", "LEAVE", "TERM"), (80, 10, 10))[0],
        "available": Decimal(rng.randrange(0, 200_000)) / 100,
        "held": Decimal(rng.randrange(0, 5_000)) / 100,
        "next_expiry_date": date(2026, 10, 1) + timedelta(days=rng.randrange(700)) if expires else None,
        "next_expiry_points": Decimal(rng.randrange(1, 10_000)) / 100 if expires else None,
        "country": rng.choice((*COUNTRIES, "USA")),
        "zip": f"{rng.randrange(100_000):05}",
        "consent": rng.random() < 0.5,
        "version": rng.randrange(1, 50),
    }


MAPPING = Shape(
    name="mapping",
    document={"kind": "mapping", "inputs": _INPUTS, "outputs": _OUTPUTS},
    plain=[_PLAIN[name] for name in _OUTPUTS],
    zen="{" + ", ".join(f"{name}: ({_ZEN[name]})" for name in _OUTPUTS) + "}",
    outputs=tuple(_OUTPUTS),
    draw=_member,
)
