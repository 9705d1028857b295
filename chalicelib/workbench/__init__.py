"""The workbench: what a draft of a rule would have decided about what has already happened."""
