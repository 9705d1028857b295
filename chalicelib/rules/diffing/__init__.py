"""What changed between two versions of a rule, in sentences: ``comparing.diff``."""
