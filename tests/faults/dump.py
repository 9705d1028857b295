"""The canonical dump: everything a run left behind, comparable between runs.

Rows are in the order of their business keys, identifiers are renamed to the business key of what they name (or to the
order of their first reference where there is none), personal blobs are opened, and the columns that may differ between
two honest runs are left out. Those columns are declared here, and nowhere else.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Table, select
from sqlalchemy.types import LargeBinary

from chalicelib.storage.engine import Database
from chalicelib.storage.tables import Digest, Id, Microseconds, metadata
from tests.factories.filled import filled

#: Columns that may differ between an uncrashed run and one that was repeated, with the reason.
VOLATILE: Mapping[str, frozenset[str]] = {
    # Counts how often a handler tried, which is what a crash changes.
    "delivery": frozenset({"attempts", "failures", "last_code", "last_detail", "lease_id"}),
    "target": frozenset({"breaker_failures", "breaker_opened", "breaker_reason"}),
    # The receipt is written again, as another revision, when finishing is repeated.
    "inbound_file": frozenset({"arrival_key", "etag"}),
    # Digests with the partner's id in them, which each hub draws for itself; the number is in the content.
    "document_version": frozenset({"employee_index"}),
    "document_draft": frozenset({"employee_index"}),
}
#: An attempt that died leaves a row that says so; that is a trace, not an effect.
LEFT_OUT = frozenset({"delivery_attempt", "heartbeat", "alembic_version", "idempotency_record"})
#: What names a row when its id does not.
BUSINESS_KEYS: Mapping[str, tuple[str, ...]] = {
    "partner": ("code",),
    "partner_block": ("partner_id",),
    "program": ("partner_id", "code"),
    "ruleset": ("code",),
    "ruleset_version": ("ruleset_id", "number"),
    "ruleset_case": ("ruleset_id", "case_id"),
    "ruleset_approval": ("version_id", "approved_by"),
    "ruleset_activation": ("ruleset_id", "effective_from"),
    "configuration_plan": ("plan_hash",),
    "configuration_plan_event": ("plan_hash", "event", "actor"),
    "code_table": ("code",),
    "code_table_entry": ("table_id", "entry_code", "effective_from", "effective_to", "value"),
    "code_table_change": ("file_id", "row_no", "table_id"),
    "target": ("partner_id", "code"),
    "member": ("partner_id", "employee_id"),
    "inbound_file": ("object_key", "sha256"),
    "member_history": ("member_id", "effective_date", "revision"),
    "member_identity": ("member_id", "system", "external_id", "valid_from"),
    "enrolment": ("member_id", "program_id", "valid_from"),
    "account": ("program_id", "kind", "owner_id"),
    "accrual_event": ("partner_id", "event_id"),
    "opening_balance": ("account_id", "legacy_ref"),
    "transfer": ("account_id", "entry_no"),
    "lot": ("id",),
    "lot_use": ("transfer_id", "lot_id"),
    "hold": ("program_id", "reference"),
    "hold_lot": ("hold_id", "lot_id"),
    "redemption": ("within_id", "reference"),
    "redemption_line": ("redemption_id", "line_no"),
    "refund": ("redemption_id", "reference"),
    "refund_line": ("refund_id", "redemption_id", "line_no"),
    "adjustment": ("partner_id", "reference"),
    "reversal": ("accrual_event_id", "part"),
    "annulment": ("kind", "cause_id"),
    "loss_recovery": ("of_id", "because_id"),
    "product_version": ("sku", "effective_date", "version"),
    "price_version": ("sku", "price_book", "partner_id", "valid_from", "version"),
    "stock_version": ("sku", "location_code", "version"),
    "allowance_plan": ("program_id", "plan_year", "job_code", "grade", "version"),
    "document": ("partner_id", "kind", "scope", "number"),
    "document_version": ("document_id", "revision"),
    "document_draft": ("document_id", "revision"),
    "document_line": ("document_id", "revision", "line_no"),
    "document_gap": ("file_id", "row_no"),
    "posting_acknowledgement": ("system", "posting_id", "doc_no", "version"),
    "customer": ("partner_id", "member_id"),
    "customer_identity": ("system", "external_id"),
    "customer_version": ("source", "customer_no", "version"),
    "delivery": ("target_id", "entity", "entity_key", "state"),
    "file_rollback": ("file_id", "run_no"),
    "file_trial": ("partner_id", "object_key"),
    "file_rollback_left": ("rollback_id", "number"),
    "file_row": ("file_id", "row_no"),
    "file_row_fix": ("file_id", "row_no", "fix_no"),
    "file_alert": ("partner_id", "layout_name", "due_at", "kind"),
    "export_file": ("export", "receiver", "request_key"),
    "export_stream": ("export", "receiver"),
    "export_mark": ("export", "receiver", "key"),
    "backtest": ("version_id", "selection"),
    "backtest_member": ("backtest_id", "account_id"),
    "backtest_record": ("backtest_id", "number"),
    "backtest_row": ("backtest_id", "file_id", "row_no"),
    "catalog_group": ("program_id", "code"),
    "catalog_item": ("program_id", "kind", "code"),
    "close_out": ("transfer_id",),
    "code_table_miss": ("table_code", "entry_code", "asked_on", "treated"),
    "grant_progress": ("program_id",),
    "increase_request": ("partner_id", "reference"),
    "ledger_checkpoint": ("number",),
    "member_erasure": ("member_id",),
    "overdraft_repayment": ("account_id", "amount_minor", "business_date"),
    "plan_year_close": ("program_id", "plan_year"),
    "plan_year_member": ("close_id", "member_id"),
    "settlement": ("partner_id", "period", "part"),
    "settlement_line": ("settlement_id", "program_id"),
    "settlement_range": ("run_id", "account_id"),
    "settlement_run": ("partner_id", "period", "part"),
    "settlement_sum": ("run_id", "program_id", "movement", "valued_on", "points_minor"),
    "posting": ("source_id", "source_type", "currency"),
    "posting_line": ("posting_id", "line_no"),
    "retention_policy": ("data_class",),
    "tender": ("program_id", "reference"),
    "tender_line": ("tender_id", "line_no"),
    "tender_step": ("tender_id", "kind", "reference"),
    "audit_event": ("action", "subject", "after"),
    "user_account": ("email",),
    "api_key": ("prefix",),
}
_HEX_ID = re.compile(r"^[0-9a-f]{32}$")
_PUBLIC_ID = re.compile(r"\b[a-z]{3}_[0-9a-hjkmnp-tv-z]{26}\b")


def canonical(database: Database) -> dict[str, list[dict[str, Any]]]:
    """Table -> rows, in business-key order, with ids renamed and volatile columns left out."""
    missing = set(metadata.tables) - set(BUSINESS_KEYS) - LEFT_OUT
    if missing:
        raise AssertionError(f"Say in BUSINESS_KEYS what names a row of {sorted(missing)}.")
    names: dict[bytes, str] = {}
    dump: dict[str, list[dict[str, Any]]] = {}
    with database.read() as db:
        with_rows = filled(db)
        for table_name, key in BUSINESS_KEYS.items():
            table = metadata.tables[table_name]
            found = db.execute(select(table)).all() if table_name in with_rows else ()
            rows = [_shown(table, row._mapping, names) for row in found]
            rows.sort(key=lambda row: [str(row[part]) for part in key])
            for row in rows:
                raw = row.pop("__id__")
                if raw is not None and "id" in row and key != ("id",):
                    names[raw] = row["id"] = f"{table_name}:" + "/".join(str(row[part]) for part in key)
                    if table_name == "account":
                        names[raw.hex().encode()] = row["id"]
            dump[table_name] = rows
    return dump


def _shown(table: Table, row: Mapping[str, Any], names: Mapping[bytes, str]) -> dict[str, Any]:
    left_out = VOLATILE.get(table.name, frozenset())
    shown: dict[str, Any] = {"__id__": row.get("id")}
    for column in table.c:
        value = row[column.name]
        if column.name == "seq" or column.name in left_out or column.name == "correlation_id":
            continue
        if column.name == "generation":
            # 0, or a number of the table's own.
            shown[column.name] = bool(value)
        elif isinstance(column.type, Microseconds):
            shown[column.name] = value is not None
        elif column.type is Id:
            shown[column.name] = names.get(value, "?" if column.name == "id" or value else value) if value else value
        elif column.type is Digest:
            shown[column.name] = value and value.hex()
        elif isinstance(column.type, LargeBinary):
            shown[column.name] = value is not None
        elif isinstance(value, str) and _HEX_ID.match(value):
            shown[column.name] = names.get(value.encode(), value)
        elif isinstance(value, str):
            shown[column.name] = _PUBLIC_ID.sub("<id>", value)
        else:
            shown[column.name] = value
    return shown


def text(dump: Mapping[str, Any]) -> str:
    """The dump as text whose difference a person can read."""
    return json.dumps(dump, indent=1, default=str, sort_keys=True)
