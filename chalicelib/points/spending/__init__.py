"""Points go: holds, redemptions, and refunds to the lots they came from."""
