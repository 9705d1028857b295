"""The hub on one machine: AWS stand-in, gateway, workers and the supervisor that runs them. Never deployed."""
