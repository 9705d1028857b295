"""/v1/programs/{program_id}/catalog: what a program pays for, and how many pieces of each garment group."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Literal

from chalice.app import Blueprint
from pydantic import Field

from chalicelib.access.scopes import Scope
from chalicelib.errors import Fault, InvalidInput, NotFound
from chalicelib.partners.programs import catalogs, programs
from chalicelib.partners.programs.catalogs import Catalog, Group, Item
from chalicelib.partners.programs.programs import Program
from chalicelib.storage.ids import public_id, raw_id
from chalicelib.web import amounts
from chalicelib.web.amounts import AmountText, DecimalText
from chalicelib.web.call import Call
from chalicelib.web.endpoint import endpoint
from chalicelib.web.paths import ProgramId
from chalicelib.web.shapes import Body, Day, PublicId, View, Written

blueprint = Blueprint(__name__)

_ITEMS_MAX = 5_000
_GROUPS_MAX = 200
_Code = Annotated[
    str, Field(min_length=1, max_length=64), Written(r"\S(?:.*\S)?", "It neither begins nor ends with a space.")
]
_Group = Annotated[str, Written("[a-z0-9][a-z0-9_-]{0,39}", "A group is named by up to 40 small letters and digits.")]


class GroupBody(Body):
    """A garment group, and how many pieces of it may be bought in a period."""

    code: _Group = Field(examples=["shirts"])
    quantity_max: int | None = Field(None, ge=0, le=100_000, description="Null: any number.")
    months: int = Field(12, ge=1, le=120, description="Length of the period.")
    anchor: Day | None = Field(
        None, description="A day on which a period begins: 2026-01-01 for calendar years. Null: rolling."
    )


class ItemBody(Body):
    """An article, or all articles of a category."""

    kind: Literal["sku", "category"]
    code: _Code = Field(examples=["SHIRT-LS-WHITE"])
    garment_group: _Group | None = Field(None, description="One of the groups; null: of none.")
    points: DecimalText | None = Field(
        None, description="Price of one piece in the program's unit; null: by its price."
    )


class CatalogBody(Body):
    """The whole catalogue: what it leaves out, the program does not pay for."""

    groups: list[GroupBody] = Field([], max_length=_GROUPS_MAX)
    items: list[ItemBody] = Field([], max_length=_ITEMS_MAX)


class GroupView(View):
    """A garment group with its limit."""

    code: str
    quantity_max: int | None
    months: int
    anchor: date | None


class ItemView(View):
    """An article or a category."""

    kind: Literal["sku", "category"]
    code: str
    garment_group: str | None
    points: AmountText | None


class CatalogView(View):
    """A program's catalogue, by code."""

    program_id: PublicId
    unit: str
    groups: list[GroupView]
    items: list[ItemView]

    @classmethod
    def of(cls, program: Program, found: Catalog) -> "CatalogView":
        """The view of a catalogue."""
        return cls(
            program_id=public_id("prg", program.id),
            unit=program.unit,
            groups=[
                GroupView(code=each.code, quantity_max=each.quantity_max, months=each.months, anchor=each.anchor)
                for each in found.groups
            ],
            items=[
                ItemView(
                    kind=each.kind,
                    code=each.code,
                    garment_group=each.garment_group,
                    points=None if each.points_minor is None else amounts.text(each.points_minor, program.scale),
                )
                for each in found.items
            ],
        )


@endpoint(blueprint, "GET /v1/programs/{program_id}/catalog", scope=Scope.PROGRAMS_READ, raises=[NotFound])
def get_catalog(call: Call, program_id: ProgramId) -> CatalogView:
    """Show what a program pays for; an empty catalogue leaves everything to the eligibility rule."""
    program = _visible(call, program_id)
    return CatalogView.of(program, catalogs.of_program(call.db, program.id))


@endpoint(
    blueprint,
    "PUT /v1/programs/{program_id}/catalog",
    scope=Scope.PROGRAMS_ADMIN,
    raises=[NotFound, InvalidInput],
)
def put_catalog(call: Call, program_id: ProgramId, body: CatalogBody) -> CatalogView:
    """Replace what a program pays for; the same again changes nothing."""
    program = _visible(call, program_id)
    groups = [Group(each.code, each.quantity_max, each.months, each.anchor) for each in body.groups]
    items = [
        Item(
            each.kind,
            each.code,
            each.garment_group,
            None if each.points is None else amounts.minor(each.points, program.scale),
        )
        for each in body.items
    ]
    _examine(groups, items)
    return CatalogView.of(program, catalogs.replace(call.db, program, groups, items, caller=call.caller, now=call.now))


def _examine(groups: Sequence[Group], items: Sequence[Item]) -> None:
    faults: list[Fault] = []
    codes = [group.code for group in groups]
    for number, group in enumerate(groups):
        if group.code in codes[:number]:
            faults.append(Fault(f"/groups/{number}/code", "repeated", f"{group.code!r} is there twice."))
        if group.anchor is not None and group.anchor.day > 28:
            faults.append(
                Fault(f"/groups/{number}/anchor", "anchor_too_late", "A period begins on a day from 1 to 28.")
            )
    seen: set[tuple[str, str]] = set()
    for number, item in enumerate(items):
        if (item.kind, item.code) in seen:
            faults.append(Fault(f"/items/{number}/code", "repeated", f"{item.code!r} is there twice."))
        seen.add((item.kind, item.code))
        if item.garment_group is not None and item.garment_group not in codes:
            told = f"There is no garment group {item.garment_group!r}."
            faults.append(Fault(f"/items/{number}/garment_group", "unknown_group", told))
        if item.points_minor is not None and item.points_minor < 0:
            faults.append(Fault(f"/items/{number}/points", "negative_price", "A price is not below zero."))
    if faults:
        raise InvalidInput("The catalogue cannot be used.", code="catalog_refused", faults=faults)


def _visible(call: Call, text: str) -> Program:
    program = programs.by_id(call.db, raw_id("prg", text))
    if program is None:
        raise NotFound(f"There is no program {text!r}.")
    call.require_partner(program.partner_id)
    return program
