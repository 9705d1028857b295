"""A partner that a command names and the hub does not show is named in the refusal."""

import pytest

from chalicelib.errors import NOT_YOURS, NotFound
from cli import partners
from cli.client import HubClient
from tests.unit.cli.answers import Answers


def test_an_unknown_partner_is_named(client: HubClient):
    Answers.prepared.append((404, {"code": "not_found", "detail": NOT_YOURS}))

    with pytest.raises(NotFound, match="There is no partner aurora, or this key may not see it") as raised:
        partners.id_of(client, "aurora")

    assert raised.value.code == "unknown_partner"


def test_what_else_is_missing_stays_as_the_hub_says_it():
    with pytest.raises(NotFound, match="no layout"), partners.naming("aurora-air"):
        raise NotFound("The partner aurora-air has no layout 'x'.")
