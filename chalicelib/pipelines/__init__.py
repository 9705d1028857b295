"""Pipelines: what becomes of an order, a quote or a lead on its way through the hub, step by step."""
