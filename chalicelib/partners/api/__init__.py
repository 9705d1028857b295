"""Endpoints of the partners room."""
