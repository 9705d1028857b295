"""The `hub` command: drives a local or a deployed hub. Not shipped to Lambda."""
