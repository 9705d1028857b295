"""Permission to put one file into the inbox, for partners who have no account with the files store.

The URL is bound to one key, of the partner's own folder, to the stated number of bytes and to a quarter of an hour.
What arrives by it takes the way of every file.
"""

from datetime import datetime, timedelta

from sqlalchemy.engine import Connection

from chalicelib.access import audit
from chalicelib.access.caller import Caller
from chalicelib.errors import InvalidInput, NotFound
from chalicelib.files.formats import layouts
from chalicelib.files.intake import arrivals
from chalicelib.partners import directory
from chalicelib.partners.directory import Partner
from chalicelib.records import dataclass
from chalicelib.storage import objects

EXPIRES_S = 900
EXPIRES = timedelta(seconds=EXPIRES_S)
#: The largest file by one request: S3 takes 5 GB, which nobody should begin anew after a broken connection.
UPLOAD_BYTES_MAX = 1 << 30
_KEY_BYTES_MAX = 1_000


@dataclass(frozen=True, slots=True)
class Upload:
    """Where to put the file, with which headers and until when."""

    url: str
    headers: dict[str, str]
    object_key: str
    expires_at: datetime


def permit(
    db: Connection, partner: Partner, layout_name: str, name: str, *, size_bytes: int, caller: Caller, now: datetime
) -> Upload:
    """A URL for one file or sidecar of a partner's layout.

    Raises NotFound for an unknown layout, InvalidInput for a name that intake would leave alone, Unprocessable when the
    partner is not active.
    """
    directory.require_active(partner)
    if layouts.in_force(db, partner, layout_name, now=now) is None:
        raise NotFound(f"The partner {partner.code} has no layout {layout_name!r}.")
    key = f"{partner.code}/{layout_name}/{name}"
    if arrivals.is_temporary(name) or len(key.encode()) > _KEY_BYTES_MAX:
        raise InvalidInput(
            "The name is too long, or ends in .tmp, .part, .partial or .filepart: such files are left alone, because"
            " they are still being written. Give the file its final name.",
            code="file_name_unusable",
        )
    url, headers = objects.presigned_put(arrivals.inbox(), key, size=size_bytes, expires_s=EXPIRES_S)
    audit.record(
        db,
        caller=caller,
        action="file.upload_permitted",
        subject=partner.code,
        partner_id=partner.id,
        after={"object_key": key, "size_bytes": size_bytes},
        now=now,
    )
    return Upload(url, headers, key, now + EXPIRES)
