"""Which records of the hub each kind of outside system takes, and what they are called there."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from chalicelib.records import dataclass

#: A member's balance in one program; its key is the account's id in hexadecimal.
BALANCE: Final = "balance"


@dataclass(frozen=True, slots=True)
class Route:
    """One entity of the hub as a message of a connector."""

    entity: str
    operation: str


#: By kind of connector, then by entity of the hub. A target of a kind takes all entities that its kind has a route for.
ROUTES: Final[Mapping[str, Mapping[str, Route]]] = MappingProxyType(
    {"sfcc_customers": MappingProxyType({BALANCE: Route("customer", "patch")})}
)


def kinds_for(entity: str) -> list[str]:
    """The kinds of connector that take an entity of the hub."""
    return sorted(kind for kind, routes in ROUTES.items() if entity in routes)
