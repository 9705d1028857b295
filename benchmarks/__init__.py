"""Side-by-side measurements: each prints figures of one run and ratios between them, and asserts nothing.

``python -m benchmarks.<name> [--quick] [--json]``. Absolute figures are this machine's; quote the ratios.
"""
