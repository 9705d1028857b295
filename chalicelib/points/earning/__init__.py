"""Points come: accrual events, corrections of them, opening balances; and why, back to the source."""
