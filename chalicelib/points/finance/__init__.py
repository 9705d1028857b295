"""The books: liability as of any moment, settlements with their postings, and statements."""
