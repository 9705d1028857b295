"""Rule documents as JSON Schema for editors: ``documents`` has one function for each kind of file."""
