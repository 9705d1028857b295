"""Files that the hub sends: from the request to one whole object with the next number of its receiver."""
