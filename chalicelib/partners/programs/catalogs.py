"""Programs' catalogues: which articles a program pays for, in which garment group, and how many pieces in a period.

A program without a catalogue pays for everything that its eligibility rule lets through.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, timedelta
from datetime import datetime as moment
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from sqlalchemy import bindparam, delete, exists, select
from sqlalchemy.engine import Connection

from chalicelib.access import audit
from chalicelib.access.caller import Caller
from chalicelib.partners.models.catalogs import catalog_group, catalog_item
from chalicelib.partners.models.partners import program as program_table
from chalicelib.partners.programs import plan_periods
from chalicelib.partners.programs.programs import Program
from chalicelib.records import dataclass
from chalicelib.storage import bulk
from chalicelib.storage.ids import public_id

ItemKind: TypeAlias = Literal["sku", "category"]

_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True, order=True)
class Group:
    """A garment group: at most ``quantity_max`` pieces (None: any number) in its period.

    A period has ``months``. With an ``anchor`` periods follow one another from that day; without one it is rolling:
    each piece counts for so many months.
    """

    code: str
    quantity_max: int | None = None
    months: int = 12
    anchor: date | None = None

    def since(self, day: date) -> date:
        """The first day of the period in which a day is: what was bought since counts."""
        if self.anchor is None:
            return plan_periods.plus(day, -self.months) + _DAY
        return plan_periods.around(self.anchor, self.months, day).first

    def resets_on(self, day: date) -> date | None:
        """The first day of the next period; None for a rolling one, in which each piece has its own."""
        return None if self.anchor is None else plan_periods.around(self.anchor, self.months, day).last + _DAY


class Item(NamedTuple):
    """An article, or a category of articles. ``points_minor``: price of one piece in the program's unit."""

    kind: ItemKind
    code: str
    garment_group: str | None
    points_minor: int | None


class Catalog(NamedTuple):
    """The groups and items of one program, each by code."""

    groups: Sequence[Group]
    items: Sequence[Item]


class Found(NamedTuple):
    """What programs' catalogues say of some articles. ``kept``: the programs that have a catalogue at all."""

    kept: frozenset[bytes]
    groups: Mapping[tuple[bytes, str], Group]
    items: Mapping[tuple[bytes, str, str], Item]

    def item(self, program_id: bytes, sku: str | None, category: str | None) -> Item | None:
        """The article's own entry, else its category's."""
        for kind, code in (("sku", sku), ("category", category)):
            found = None if code is None else self.items.get((program_id, kind, code))
            if found is not None:
                return found
        return None


def replace(
    db: Connection, program: Program, groups: Sequence[Group], items: Sequence[Item], *, caller: Caller, now: moment
) -> Catalog:
    """Make these the program's catalogue, and nothing else; without any the program has none. The same changes nothing.

    Codes are unique, and items name groups that there are: the edge has seen to it.
    """
    # Whoever replaces a catalogue takes turns here.
    db.execute(select(program_table.c.id).where(program_table.c.id == program.id).with_for_update()).one()
    wanted = Catalog(sorted(groups), sorted(items))
    before = of_program(db, program.id)
    if before == wanted:
        return wanted
    named = {"program_id": program.id, "partner_id": program.partner_id}
    for table in (catalog_item, catalog_group):
        db.execute(delete(table).where(table.c.program_id == program.id))
    fields = ("code", "quantity_max", "months", "anchor")
    bulk.insert(
        db, catalog_group, [{**named, **{name: getattr(group, name) for name in fields}} for group in wanted.groups]
    )
    bulk.insert(db, catalog_item, [{**named, **item._asdict()} for item in wanted.items])
    audit.record(
        db,
        caller=caller,
        action="program.catalog_replaced",
        subject=public_id("prg", program.id),
        partner_id=program.partner_id,
        before={"groups": len(before.groups), "items": len(before.items)},
        after={"groups": len(wanted.groups), "items": len(wanted.items)},
        now=now,
    )
    return wanted


def of_program(db: Connection, program_id: bytes) -> Catalog:
    """The whole catalogue of a program, by code."""
    group, item = catalog_group.c, catalog_item.c
    groups = db.execute(
        select(group.code, group.quantity_max, group.months, group.anchor).where(group.program_id == program_id)
    )
    items = db.execute(
        select(item.kind, item.code, item.garment_group, item.points_minor).where(item.program_id == program_id)
    )
    return Catalog(sorted(Group(*row) for row in groups), sorted(Item(*row) for row in items))


def find(db: Connection, program_ids: Collection[bytes], skus: Collection[str], categories: Collection[str]) -> Found:
    """What the catalogues of up to a page of programs say of the articles of one cart. Three statements."""
    ids = sorted(set(program_ids))
    if not ids:
        return Found(frozenset(), {}, {})
    kept = frozenset(db.execute(_KEPT, {"programs": ids}).scalars())
    groups = {(row[0], row[1]): Group(*row[1:]) for row in db.execute(_GROUPS, {"programs": ids})}
    asked = {"programs": ids, "skus": sorted(set(skus)), "categories": sorted(set(categories))}
    items: dict[tuple[bytes, str, str], Item] = {}
    for row in db.execute(_ITEMS, asked):
        found = Item(*row[1:])
        items[row[0], found.kind, found.code] = found
    return Found(kept, groups, items)


_OF: Final[Any] = bindparam("programs", expanding=True)
_KEPT: Final = select(program_table.c.id).where(
    program_table.c.id.in_(_OF),
    exists().where(catalog_item.c.program_id == program_table.c.id)
    | exists().where(catalog_group.c.program_id == program_table.c.id),
)
_GROUPS: Final = select(
    catalog_group.c.program_id,
    catalog_group.c.code,
    catalog_group.c.quantity_max,
    catalog_group.c.months,
    catalog_group.c.anchor,
).where(catalog_group.c.program_id.in_(_OF))
_ITEMS: Final = select(
    catalog_item.c.program_id,
    catalog_item.c.kind,
    catalog_item.c.code,
    catalog_item.c.garment_group,
    catalog_item.c.points_minor,
).where(
    catalog_item.c.program_id.in_(_OF),
    ((catalog_item.c.kind == "sku") & catalog_item.c.code.in_(bindparam("skus", expanding=True)))
    | ((catalog_item.c.kind == "category") & catalog_item.c.code.in_(bindparam("categories", expanding=True))),
)
