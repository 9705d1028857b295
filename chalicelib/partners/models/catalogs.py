"""Tables of programs' catalogues: what may be bought by a program, and how many pieces of each garment group."""

from sqlalchemy import Column, ForeignKey, Integer

from chalicelib.storage.tables import Big, Day, Id, code, table

#: A garment group of a program, and its limit in a period.
catalog_group = table(
    "catalog_group",
    Column("program_id", Id, ForeignKey("program.id"), primary_key=True),
    Column("code", code(40), primary_key=True),
    Column("partner_id", Id, nullable=False),
    Column("quantity_max", Integer),  # None: no limit
    Column("months", Integer, nullable=False),  # length of the limit's period
    Column("anchor", Day),  # a day on which a period begins; None: rolling, the months up to the day asked about
)

#: An article, or all articles of a category, that a program pays for.
catalog_item = table(
    "catalog_item",
    Column("program_id", Id, ForeignKey("program.id"), primary_key=True),
    Column("kind", code(10), primary_key=True),  # sku | category
    Column("code", code(64), primary_key=True),
    Column("partner_id", Id, nullable=False),
    Column("garment_group", code(40)),
    Column("points_minor", Big),  # price of one piece in the program's unit; None: by its price in money
)
