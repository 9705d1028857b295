"""What a sender and an operator are told of a file: receipt, rejects, quality, rows."""
