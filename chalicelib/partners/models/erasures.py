"""The table of erasures: whose personal data is being forgotten, how far that has come, and what was done where."""

from sqlalchemy import Column, Index, String

from chalicelib.storage.tables import Blob, Digest, Id, JsonText, Microseconds, code, id_column, table

#: One person who is forgotten. What names the person is kept, sealed, only until the last place was searched for it.
member_erasure = table(
    "member_erasure",
    id_column(),
    Column("partner_id", Id, nullable=False),
    Column("member_id", Id, nullable=False, unique=True),
    Column("number_index", Digest, nullable=False),  # HMAC of the employee number: later rows are refused by it
    Column("pseudonym", code(64), nullable=False),  # the member's employee number from now on
    Column("reason", String(500), nullable=False),
    Column("state", code(12), nullable=False),  # running | done
    Column("stage", code(20), nullable=False),  # which kind of place is searched
    Column("checkpoint", code(1024), nullable=False),  # the last place of the stage that is done; "": none
    Column("found", JsonText, nullable=False),  # {place: how many} so far
    Column("sought", Blob),  # sealed: what to search for; None once done
    Column("actor", code(60), nullable=False),
    Column("correlation_id", code(64), nullable=False),
    Column("requested_at", Microseconds, nullable=False),
    Column("changed_at", Microseconds, nullable=False),
    Column("finished_at", Microseconds),
    Index(None, "partner_id", "number_index"),
    Index(None, "state"),
)
