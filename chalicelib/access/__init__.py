"""Access: users, keys, idempotency and the audit trail, as tables and functions without endpoints."""
