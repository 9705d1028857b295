"""Permission to put one file into the inbox."""

from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from chalicelib.errors import InvalidInput, NotFound
from chalicelib.files.intake import uploading
from chalicelib.files.intake.uploading import Upload
from tests.factories.files import Hub
from tests.factories.partners import CALLER, NOW


def permit(hub: Hub, layout: str = "hours", name: str = "new file.csv", size: int = 100) -> Upload:
    with hub.database.write() as db:
        return uploading.permit(db, hub.partner, layout, name, size_bytes=size, caller=CALLER, now=NOW)


class TestPermission:
    def test_is_bound_to_key_size_and_time(self, light_hub: Hub):
        found = permit(light_hub)

        signed = parse_qs(urlsplit(found.url).query)
        assert found.object_key == "acme/hours/new file.csv"
        assert urlsplit(found.url).path.endswith("/acme/hours/new%20file.csv")
        assert signed["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]
        assert signed["X-Amz-Expires"] == ["900"]
        assert signed["X-Amz-SignedHeaders"] == ["content-length;host;if-none-match"]
        assert found.headers == {"Content-Length": "100", "If-None-Match": "*"}
        assert found.expires_at == NOW + timedelta(seconds=900)

    @pytest.mark.parametrize("name", ["a.tmp", "a.filepart", "x" * 2000])
    def test_is_refused_for_names_that_would_lie_still(self, light_hub: Hub, name: str):
        with pytest.raises(InvalidInput):
            permit(light_hub, name=name)

    def test_is_refused_for_a_layout_that_the_partner_does_not_have(self, light_hub: Hub):
        with pytest.raises(NotFound):
            permit(light_hub, layout="holidays")
