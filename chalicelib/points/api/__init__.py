"""Endpoints of the points room."""
