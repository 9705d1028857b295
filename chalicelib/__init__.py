"""Interline: an API-first, rule-based integration hub. The house and its layers are drawn in the README."""
