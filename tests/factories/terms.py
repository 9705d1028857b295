"""Programs with terms for tests: what they grant, who may buy what, how carts are paid."""

from decimal import Decimal
from typing import Any

from sqlalchemy.engine import Connection

from chalicelib.partners.members import members
from chalicelib.partners.members.members import MemberRef
from chalicelib.partners.programs import catalogs
from chalicelib.partners.programs.catalogs import Group, Item
from chalicelib.points.carts import tender_steps, tenders
from chalicelib.points.carts.eligibility import CartLine
from chalicelib.points.carts.tenders import NewTender
from chalicelib.points.terms import increases
from tests.factories import rules
from tests.factories.points import CALLER, NOW, Earning

#: A point is a cent.
TENDER: dict[str, Any] = {"point_value": "0.01", "currency": "USD"}

#: Everything that an endpoint may ask of a program.
TERMS: dict[str, Any] = {
    "tender": TENDER,
    "increases": {"request_max": "50", "retailer_decides": True},
    "termination": {"policy": "forfeit"},
}


def eligibility_document(code: str, **changes: Any) -> dict[str, Any]:
    """Crew may buy anything but jackets, at most two pieces a line; without a job code there is no answer."""
    partner = code.rpartition(".")[0] or None

    def case(name: str, given: dict[str, Any], expect: dict[str, Any]) -> dict[str, Any]:
        return {"name": name, "as_of": "2026-10-01", "given": given, "expect": expect}

    return {
        "id": code,
        "kind": "eligibility",
        "partner": partner,
        "owner": "tests",
        "why": "A rule of the tests.",
        "inputs": {"job_code": {"type": "string"}, "garment_group": {"type": "string", "nullable": True}},
        "let": {"group": {"coalesce": [{"var": "garment_group"}, "none"]}},
        "when": {"==": [{"var": "job_code"}, "CREW"]},
        "outputs": {
            "eligible": {"type": "boolean", "expr": {"!=": [{"var": "group"}, "jackets"]}},
            "reason": {
                "type": "enum",
                "values": ["no_jackets", "eligible"],
                "expr": {"if": [{"==": [{"var": "group"}, "jackets"]}, "no_jackets", "eligible"]},
            },
            "quantity_max": {"type": "integer", "expr": 2},
        },
        "cases": [
            case(
                "crew buys shirts",
                {"job_code": "CREW", "garment_group": "shirts"},
                {"eligible": True, "reason": "eligible", "quantity_max": 2},
            ),
            case(
                "and no jackets",
                {"job_code": "CREW", "garment_group": "jackets"},
                {"eligible": False, "reason": "no_jackets", "quantity_max": 2},
            ),
            case(
                "an article without a group is one of no kind",
                {"job_code": "CREW", "garment_group": None},
                {"eligible": True, "reason": "eligible", "quantity_max": 2},
            ),
            case("others buy nothing", {"job_code": "DESK", "garment_group": None}, {"applies": False}),
        ],
        **changes,
    }


def eligible_by(db: Connection, earning: Earning, **changes: Any) -> str:
    """Have a rule decide eligibility from long ago on; its code, for the program's terms."""
    code = f"{earning.partner.code}.eligibility"
    rules.live_ruleset(db, earning.partner.id, eligibility_document(code, **changes))
    return code


def stock(db: Connection, earning: Earning, *groups: Group, **items: str | tuple[str, int]) -> None:
    """The program's catalogue: these groups, and articles by SKU with their group and, if they have one, price."""
    listed = [
        Item("sku", sku, of, None) if isinstance(of, str) else Item("sku", sku, of[0], of[1])
        for sku, of in items.items()
    ]
    catalogs.replace(db, earning.program, groups, listed, caller=CALLER, now=NOW)


def line(name: str = "1", quantity: int = 1, sku: str | None = None, **more: Any) -> CartLine:
    """A line of a cart."""
    return CartLine(name, quantity, sku, **more)


def today(db: Connection, earning: Earning) -> MemberRef:
    """E1 as of now."""
    return members.by_ids(db, [earning.member.id])[earning.member.id]


def increased(db: Connection, earning: Earning) -> bytes:
    """A request for a point more that waits; its id."""
    made, _ = increases.request(
        db, earning.program, earning.member.id, 100, reference="more", reason="a test", caller=CALLER, now=NOW
    )
    return made.id


def tender(db: Connection, earning: Earning) -> bytes:
    """A tender of two lines, of which one has shipped; its id."""
    lines = [line(name, price=Decimal("0.01"), currency="USD") for name in ("shipped", "open")]
    how: dict[str, Any] = {"caller": CALLER, "now": NOW}
    made, _ = tenders.place(db, earning.program, today(db, earning), NewTender(lines, "cart", "order-1"), **how)
    tender_steps.capture(db, earning.program, made.id, {"shipped": 1}, reference="shipment", **how)
    return made.id
