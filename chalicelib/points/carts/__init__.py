"""Carts: what may be bought of what, and how a price is split between points and card."""
