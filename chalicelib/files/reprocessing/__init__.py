"""A file of accruals is decided again under other rules: the difference first, then the effect."""
