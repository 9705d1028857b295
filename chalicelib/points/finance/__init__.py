"""The books: liability as of any moment, plan years, settlements with their postings, and statements."""
