"""A crash before and after every statement, commit and outbound call, and then the same end state as without it."""
