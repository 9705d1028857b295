"""Endpoints of the operations room."""
