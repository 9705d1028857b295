"""The tables of the points room."""
