"""The tables of the files room."""
