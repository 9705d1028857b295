"""Points: accrual events, the double-entry ledger with its lots, balances, lineage and proofs."""
