"""What a user would run instead: the floor (the bare statements) and the same service as a team would write it."""
