"""Tables of the deliveries room: targets, the outbox, and the attempts to empty it."""

from sqlalchemy import Boolean, Column, Index, Integer, String, UniqueConstraint

from chalicelib.storage.tables import Big, Id, JsonText, Microseconds, code, id_column, seq_column, table

#: An outside system of one partner. Its row is the semaphore and the breaker: claims lock it first.
target = table(
    "target",
    id_column(),
    Column("partner_id", Id, nullable=False),
    Column("code", code(64), nullable=False),
    Column("connector", code(40), nullable=False),  # sfcc_customers | …
    Column("config", JsonText, nullable=False),  # base_url, organization, …: no secrets
    Column("secret_name", code(100), nullable=False),
    Column("mapping_code", code(100), nullable=False),  # ruleset of kind mapping
    Column("status", code(20), nullable=False),  # active | paused
    Column("inflight_max", Integer, nullable=False),
    Column("batch_max", Integer, nullable=False),
    Column("timeout_s", Integer, nullable=False),
    Column("attempts_max", Integer, nullable=False),
    Column("age_max_s", Integer, nullable=False),
    Column("breaker_failures", Integer, nullable=False, default=0),
    Column("breaker_until", Microseconds),
    Column("breaker_opened", Integer, nullable=False, default=0),  # times in a row: widens the pause
    Column("breaker_reason", String(500)),  # why it is open; None when it is not
    # A new target is filled: each record that its partner has is queued for it, up to this one so far (entity/key,
    # "" when none is). None: it is full, and gets what changes.
    Column("filled_to", code(110)),
    Column("created_at", Microseconds, nullable=False),
    Column("changed_at", Microseconds, nullable=False),
    UniqueConstraint("partner_id", "code"),
)

#: One message to one system. A ``state`` delivery has no payload: what it carries is read when it is claimed.
delivery = table(
    "delivery",
    seq_column(),
    Column("id", Id, nullable=False, unique=True),
    Column("partner_id", Id, nullable=False),
    # Not a foreign key: every insert would share-lock the target's row, which the pump's claims lock for themselves.
    Column("target_id", Id, nullable=False),
    Column("kind", code(10), nullable=False),  # state | event
    Column("entity", code(40), nullable=False),  # balance | …
    Column("entity_key", code(64), nullable=False),  # hex of the account id for a balance
    # True while the one unclaimed state row of its key, else NULL; the unique constraint below leans on that.
    Column("unclaimed", Boolean),
    Column("state", code(12), nullable=False),  # ready | leased | confirmed | dead | superseded | discarded
    Column("payload", JsonText),  # events only
    Column("version", Big),  # of the entity, as read at the latest claim
    Column("mapping_version_id", Id),
    Column("attempts", Integer, nullable=False, default=0),  # claims so far; fences a late answer
    Column("failures", Integer, nullable=False, default=0),  # attempts that count towards the target's attempts_max
    Column("next_at", Microseconds, nullable=False),
    Column("lease_until", Microseconds),
    Column("lease_id", Id),  # of the batch that it travels in; the distinct ones are what is in flight
    Column("last_code", code(60)),
    Column("last_detail", String(500)),
    Column("task_token", JsonText),
    Column("reported_at", Microseconds),
    Column("created_at", Microseconds, nullable=False),
    Column("changed_at", Microseconds, nullable=False),
    Column("confirmed_at", Microseconds),
    UniqueConstraint("target_id", "entity", "entity_key", "unclaimed"),
    Index(None, "target_id", "state", "next_at", "seq"),
    Index(None, "target_id", "entity_key", "state", "seq"),
    Index(None, "partner_id", "seq"),
    Index(None, "entity_key", "version"),
)

#: One try to send a delivery. Requests and responses are kept masked.
delivery_attempt = table(
    "delivery_attempt",
    seq_column(),
    Column("id", Id, nullable=False, unique=True),
    Column("partner_id", Id, nullable=False),
    Column("delivery_id", Id, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("version", Big),
    Column("mapping_version_id", Id),
    Column("started_at", Microseconds, nullable=False),
    Column("finished_at", Microseconds),
    Column("outcome", code(20)),  # None while in flight, or when its holder died
    Column("status", Integer),
    Column("code", code(60)),
    Column("detail", String(500)),
    Column("request", JsonText),
    Column("response", JsonText),
    UniqueConstraint("delivery_id", "attempt"),
)
