"""Tables of the partners room: partners, programs, members with history and identities, enrolments."""

from sqlalchemy import Column, ForeignKey, Index, Integer, String, UniqueConstraint

from chalicelib.partners.models import catalogs  # noqa: F401 - its tables are this room's too
from chalicelib.storage.tables import (
    Big,
    Blob,
    Day,
    Digest,
    Id,
    JsonText,
    Microseconds,
    code,
    id_column,
    seq_column,
    table,
)

partner = table(
    "partner",
    id_column(),  # the partner's own row: id is its partner_id
    Column("code", code(40), nullable=False, unique=True),
    Column("name", String(200), nullable=False),
    Column("industry", String(100)),
    Column("time_zone", code(40), nullable=False),  # IANA; roster dates are in it
    Column("status", code(20), nullable=False),  # active | suspended | offboarded
    Column("status_from", Day, nullable=False),
    Column("status_reason", String(500)),
    Column("contacts", JsonText, nullable=False),
    Column("manifest", JsonText),  # as last applied
    Column("manifest_hash", Digest),
    Column("created_at", Microseconds, nullable=False),
    Column("changed_at", Microseconds, nullable=False),
    tenant=False,
)

#: What a partner's employees earn and spend. ``scale`` is the number of decimals of the unit.
program = table(
    "program",
    id_column(),
    Column("partner_id", Id, ForeignKey("partner.id"), nullable=False),
    Column("code", code(40), nullable=False),
    Column("name", String(200), nullable=False),
    Column("kind", code(20), nullable=False),  # accrual | allowance | …
    Column("unit", code(20), nullable=False),  # points | USD | …
    Column("scale", Integer, nullable=False),
    Column("time_zone", code(40), nullable=False),
    Column("ruleset_code", code(100), nullable=False),  # of kind accrual
    Column("effective_from", Day, nullable=False),  # first day anybody is enrolled by the rule
    Column(
        "lots", JsonText, nullable=False
    ),  # {"expires": {"months": 24}} | {"expires": null}, and what departs from it
    Column("corrections", JsonText),  # who may correct what, and how; None: as programs.Corrections has it
    Column("enrolment", JsonText),  # condition over member fields; None: by hand
    Column("terms", JsonText),  # grants, eligibility, leaving, increases, prices; None: as terms.Terms has it
    Column("status", code(20), nullable=False),  # active | closed
    Column("created_at", Microseconds, nullable=False),
    Column("changed_at", Microseconds, nullable=False),
    UniqueConstraint("partner_id", "code"),
)

#: A partner's employee as known now; ``member_history`` says how that came about.
#: The state holds from ``effective_date`` to the day before ``next_effective_date``.
member = table(
    "member",
    id_column(),
    Column("partner_id", Id, ForeignKey("partner.id"), nullable=False),
    Column("employee_id", code(64), nullable=False),
    Column("status", code(20), nullable=False),  # active | terminated
    Column("hire_date", Day, nullable=False),
    Column("term_date", Day),  # last day of employment; in the future while a termination is announced
    Column("effective_date", Day, nullable=False),  # of the latest roster row in force
    Column("next_effective_date", Day),  # when what is already known changes the state; None: not foreseen
    Column("job_code", code(64)),
    Column("country", code(2)),
    Column("attributes", JsonText, nullable=False),  # the other non-personal roster fields
    Column("personal", Blob, nullable=False),  # encrypted JSON: names, mail, phone, address
    Column("seen_in", Id),  # the latest snapshot file that named the member: tells who is absent
    Column("last_name_index", Digest, nullable=False),  # HMAC, for exact match
    Column("email_index", Digest),
    Column("created_at", Microseconds, nullable=False),
    Column("changed_at", Microseconds, nullable=False),
    UniqueConstraint("partner_id", "employee_id"),
    Index(None, "partner_id", "last_name_index"),
    Index(None, "partner_id", "email_index"),
)

#: Each roster row that was applied, dated and in full. A correction supersedes, nothing is overwritten.
member_history = table(
    "member_history",
    seq_column(),
    Column("id", Id, nullable=False, unique=True),
    Column("partner_id", Id, nullable=False),
    Column("member_id", Id, nullable=False),
    Column("effective_date", Day, nullable=False),
    Column("revision", Integer, nullable=False),  # 1, then one more for each correction of the same date
    Column("action", code(12), nullable=False),  # hire | change | terminate
    Column("status", code(20), nullable=False),  # on the effective date, as known when it was recorded
    Column("hire_date", Day, nullable=False),
    Column("term_date", Day),
    Column("job_code", code(64)),
    Column("country", code(2)),
    Column("attributes", JsonText, nullable=False),
    Column("personal", Blob, nullable=False),
    Column("content_hash", Digest, nullable=False),  # HMAC over the canonical row: tells duplicate from correction
    Column("source_kind", code(12), nullable=False),  # file | api | absence
    Column("source_id", Id),  # inbound_file.id, or None
    Column("row_no", Integer),
    Column("byte_offset", Big),
    Column("byte_length", Integer),
    Column("actor", code(60), nullable=False),
    Column("recorded_at", Microseconds, nullable=False),
    Column("superseded_at", Microseconds),
    UniqueConstraint("member_id", "effective_date", "revision"),
)

#: Under which number a system knows a member, and when.
member_identity = table(
    "member_identity",
    id_column(),
    Column("partner_id", Id, nullable=False),
    Column("member_id", Id, nullable=False),
    Column("system", code(20), nullable=False),  # hrms | sfcc | …
    Column("external_id", code(100), nullable=False),
    Column("valid_from", Day, nullable=False),
    Column("valid_to", Day),
    UniqueConstraint("partner_id", "system", "external_id", "valid_from"),
    Index(None, "member_id", "system"),
)

enrolment = table(
    "enrolment",
    id_column(),
    Column("partner_id", Id, nullable=False),
    Column("program_id", Id, ForeignKey("program.id"), nullable=False),
    Column("member_id", Id, nullable=False),
    Column("valid_from", Day, nullable=False),
    Column("valid_to", Day),  # last day, inclusive
    Column("tier", code(40)),
    Column("source", code(12), nullable=False),  # rule | api
    Column("created_at", Microseconds, nullable=False),
    Column("changed_at", Microseconds, nullable=False),
    UniqueConstraint("member_id", "program_id", "valid_from"),
    Index(None, "program_id", "member_id"),
)
