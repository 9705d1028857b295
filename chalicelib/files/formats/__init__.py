"""From an object's bytes to canonical rows: unpacking, reading, layouts, and the archive that keeps them readable."""
