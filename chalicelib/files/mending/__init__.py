"""Rejected rows are corrected and decided again."""
