"""Deliveries: the transactional outbox and the pump that empties it into outside systems."""
