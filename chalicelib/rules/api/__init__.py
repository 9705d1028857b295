"""Endpoints of the rules room."""
