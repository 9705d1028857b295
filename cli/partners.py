"""Partners by the code that people use."""

from cli.client import HubClient, segment


def id_of(client: HubClient, partner: str) -> str:
    """A partner's id, given its code or its id. Raises NotFound."""
    if partner.startswith("par_"):
        return partner
    return str(client.get(f"/v1/partners/{segment(partner)}")["id"])
