"""Endpoints of the files room."""
