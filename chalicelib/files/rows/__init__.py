"""Slices of rows on their way into the room that keeps them, and the count that nothing of them is lost."""
