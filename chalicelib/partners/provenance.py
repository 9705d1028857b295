"""Where a record came from: a row of a file, or a request."""

from typing import NamedTuple


class RowSource(NamedTuple):
    """The place of one row in the archived file, for lineage; all None when it came by API.

    ``row_no`` is the record's ordinal (1 is the first after the header); offset and length are bytes, expanded.
    """

    file_id: bytes | None = None
    row_no: int | None = None
    byte_offset: int | None = None
    byte_length: int | None = None


#: A record that came with a request; the audit trail has its correlation id.
BY_API = RowSource()
