"""Outside systems that stand in for the real ones on one machine. Only the standard library is used here."""
