"""The way of a file: arrived, opened, checked, applied in slices, answered; and what an event lost."""
