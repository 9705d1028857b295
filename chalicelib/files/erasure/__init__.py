"""A person is forgotten in files, kept rows and objects."""
