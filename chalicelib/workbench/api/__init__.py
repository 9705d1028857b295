"""Endpoints of the workbench."""
