"""Partners by the code that people use."""

from collections.abc import Iterator
from contextlib import contextmanager

from chalicelib.errors import NOT_YOURS, NotFound
from cli.client import HubClient, segment


def id_of(client: HubClient, partner: str) -> str:
    """A partner's id, given its code or its id. Raises NotFound."""
    if partner.startswith("par_"):
        return partner
    with naming(partner):
        return str(client.get(f"/v1/partners/{segment(partner)}")["id"])


@contextmanager
def naming(partner: str | None) -> Iterator[None]:
    """Requests that name a partner: the hub does not say whether there is none or it is another's; this says which."""
    try:
        yield
    except NotFound as error:
        if partner is None or error.message != NOT_YOURS:
            raise
        raise NotFound(
            f"There is no partner {partner}, or this key may not see it: `hub` takes a partner's code, such as"
            " aurora-air.",
            code="unknown_partner",
        ) from error
