"""Endpoints of the deliveries room."""
