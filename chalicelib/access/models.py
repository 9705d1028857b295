"""Tables of the access room: users, keys, idempotency records and the audit trail."""

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, String

from chalicelib.storage.tables import Blob, Digest, Id, JsonText, Microseconds, code, id_column, seq_column, table

#: A person who signs in or owns operator keys.
user_account = table(
    "user_account",
    id_column(),
    Column("email", String(254), nullable=False, unique=True),
    Column("name", String(200), nullable=False),
    Column("role", code(20), nullable=False),  # admin | author | operator | approver | viewer
    Column("partner_id", Id),  # None: sees every partner
    Column("status", code(20), nullable=False),  # active | disabled
    Column("created_at", Microseconds, nullable=False),
    tenant=False,
)

#: A bearer key. It belongs to a user or to a partner, never to both.
api_key = table(
    "api_key",
    id_column(),
    Column("prefix", code(16), nullable=False, unique=True),
    Column("secret_hash", Digest, nullable=False),
    Column("name", String(200), nullable=False),
    Column("user_id", Id, ForeignKey("user_account.id")),
    Column("partner_id", Id),
    Column("scopes", JsonText, nullable=False),
    Column("created_at", Microseconds, nullable=False),
    Column("created_by", code(40), nullable=False),
    Column("holders", JsonText, nullable=False),  # who may know the secret besides the owner; see ``keys.holders``
    Column("expires_at", Microseconds),
    Column("revoked_at", Microseconds),
    Column("replaced_by", Id),
    Column("last_used_at", Microseconds),
    tenant=False,
)

#: A partner none of whose keys is accepted: its own, and those of users bound to it.
partner_block = table(
    "partner_block",
    Column("partner_id", Id, primary_key=True),
    Column("since", Microseconds, nullable=False),
)

#: A committed response, kept with the effect it answered, to be replayed for the same key.
idempotency_record = table(
    "idempotency_record",
    Column("principal_id", Id, primary_key=True),
    Column("idempotency_key", code(100), primary_key=True),
    Column("route", code(100), nullable=False),
    Column("request_hash", Digest, nullable=False),
    Column("status", Integer),
    Column("body", Blob),  # encrypted: a response may hold personal data or a key that is shown once
    Column("created_at", Microseconds, nullable=False),
    Index(None, "created_at"),
    tenant=False,
)

#: Who did what, to what, when and why; written in the transaction of the change itself.
audit_event = table(
    "audit_event",
    seq_column(),
    Column("id", Id, nullable=False, unique=True),
    Column("at", Microseconds, nullable=False),
    Column("actor", code(60), nullable=False),  # usr_…, key_…, or system:<handler>
    Column("action", code(60), nullable=False),  # partner.suspended, api_key.created, …
    Column("subject", code(100), nullable=False),  # public id or code of what was changed
    Column("partner_id", Id),  # None: a change of the hub itself
    Column("before", JsonText),
    Column("after", JsonText),
    Column("reason", String(500)),
    Column("correlation_id", code(64), nullable=False),
    Index(None, "subject", "seq"),
    Index(None, "partner_id", "seq"),
    tenant=False,
)

#: When each worker or schedule last finished; readiness reads it.
heartbeat = table(
    "heartbeat",
    Column("name", code(60), primary_key=True),
    Column("at", Microseconds, nullable=False),
    Column("ok", Boolean, nullable=False),
    tenant=False,
)
