"""A wrong file is taken back: every effect compensated, the latest first."""
