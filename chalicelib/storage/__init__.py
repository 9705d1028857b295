"""Storage: engine, column types, identifiers, bulk writes, objects, queues, secrets and encryption."""
