"""/v1/eligibility/check: whether a member may buy what is in a cart."""

from datetime import date

from chalice.app import Blueprint
from pydantic import Field

from chalicelib.access.scopes import Scope
from chalicelib.errors import Fault, InvalidInput, NotFound, UnknownReference, Unprocessable
from chalicelib.points.api.whose import PartnerCode, member_of_partner, partner_of
from chalicelib.points.carts import eligibility
from chalicelib.points.carts.eligibility import CartLine, Verdict
from chalicelib.storage.ids import public_id
from chalicelib.web import amounts
from chalicelib.web.amounts import AmountText, DecimalText
from chalicelib.web.call import Call
from chalicelib.web.endpoint import endpoint
from chalicelib.web.shapes import Body, PublicId, View

blueprint = Blueprint(__name__)

QUANTITY_MAX = 10_000


class CartLineBody(Body):
    """One line of a cart: an article by its SKU, its category, or the garment group it is in."""

    line: str = Field(min_length=1, max_length=40, description="Your own name of it.", examples=["1"])
    quantity: int = Field(ge=1, le=QUANTITY_MAX, description="Pieces.")
    sku: str | None = Field(None, min_length=1, max_length=64, examples=["SHIRT-LS-WHITE"])
    category: str | None = Field(None, min_length=1, max_length=64, examples=["shirts"])
    garment_group: str | None = Field(
        None, min_length=1, max_length=40, description="Counts where no catalogue has the article."
    )
    price: DecimalText | None = Field(None, description="Price of one piece in money.")
    currency: str | None = Field(None, min_length=3, max_length=3, examples=["USD"])

    def cart_line(self) -> CartLine:
        """The line as the points room takes it."""
        return CartLine(
            self.line, self.quantity, self.sku, self.category, self.garment_group, self.price, self.currency
        )


class CheckBody(Body):
    """Whose cart, and what is in it."""

    partner_code: PartnerCode = None
    employee_id: str = Field(min_length=1, max_length=64, examples=["10047"])
    program_code: str | None = Field(
        None, min_length=1, max_length=40, description="Ask only this program; null: all the member is in."
    )
    lines: list[CartLineBody] = Field(min_length=1, max_length=200)


class DecidingRuleView(View):
    """The rule that was asked."""

    ruleset_id: str
    version: int
    version_id: PublicId
    content_hash: str


class VerdictView(View):
    """The answer for one line."""

    line: str
    eligible: bool
    reason: str = Field(
        description="`eligible`, `not_enrolled`, `not_in_catalog`, `quantity_limit`, `allotment_used`,"
        " `no_rule_in_force`, `rule_refused`, `not_applicable`, `not_eligible`, or the rule's own word."
    )
    message: str
    program_id: PublicId | None = Field(description="The program that pays, or the first that does not.")
    program_code: str | None
    garment_group: str | None
    quantity_max: int | None = Field(description="How many pieces the line may have; null: any number.")
    resets_on: date | None = Field(description="When the garment group's period begins anew; null: rolling, or none.")
    points: AmountText | None = Field(description="Price of the line in the program's unit; null: by its price.")
    rule: DecidingRuleView | None = Field(description="Null: no rule was asked.")

    @classmethod
    def of(cls, said: Verdict) -> "VerdictView":
        """The view of one answer."""
        program, rule = said.program, said.rule
        return cls(
            line=said.line.line,
            eligible=said.eligible,
            reason=said.reason,
            message=said.message,
            program_id=None if program is None else public_id("prg", program.id),
            program_code=None if program is None else program.code,
            garment_group=said.garment_group,
            quantity_max=said.quantity_max,
            resets_on=said.resets_on,
            points=None
            if program is None or said.points_minor is None
            else amounts.text(said.points_minor, program.scale),
            rule=None
            if rule is None
            else DecidingRuleView(
                ruleset_id=rule.ruleset_code,
                version=rule.number,
                version_id=public_id("rsv", rule.version_id),
                content_hash=rule.content_hash.hex(),
            ),
        )


class WalletView(View):
    """What the member has in a program that was asked."""

    program_id: PublicId
    program_code: str
    unit: str
    available: AmountText
    held: AmountText


class EligibilityView(View):
    """The answers in the order of the lines."""

    member_id: PublicId
    eligible: bool = Field(description="Whether every line is.")
    lines: list[VerdictView]
    programs: list[WalletView]


@endpoint(
    blueprint,
    "POST /v1/eligibility/check",
    scope=Scope.LEDGER_READ,
    idempotent=False,
    raises=[InvalidInput, NotFound, UnknownReference, Unprocessable],
)
def check_eligibility(call: Call, body: CheckBody) -> EligibilityView:
    """Say line by line whether a member may buy a cart, why, by which rule, and how many pieces are left."""
    lines = [each.cart_line() for each in body.lines]
    require_names(lines)
    partner = partner_of(call, body.partner_code)
    member = member_of_partner(call, partner, body.employee_id)
    found = eligibility.check(call.db, member, lines, program_code=body.program_code, now=call.now)
    return EligibilityView(
        member_id=public_id("mbr", member.id),
        eligible=all(said.eligible for said in found.verdicts),
        lines=[VerdictView.of(said) for said in found.verdicts],
        programs=[
            WalletView(
                program_id=public_id("prg", program.id),
                program_code=program.code,
                unit=program.unit,
                available=amounts.text(available, program.scale),
                held=amounts.text(held, program.scale),
            )
            for program, available, held in found.wallets
        ],
    )


def require_names(lines: list[CartLine]) -> None:
    """Raises InvalidInput when two lines have one name."""
    names = [each.line for each in lines]
    again = [
        Fault(f"/lines/{number}/line", "repeated", f"{name!r} is there twice.")
        for number, name in enumerate(names)
        if name in names[:number]
    ]
    if again:
        raise InvalidInput("Every line has a name of its own.", code="lines_unusable", faults=again)
