"""The double-entry ledger: accounts, transfers between them, lots, balances, and what they were at any time."""
