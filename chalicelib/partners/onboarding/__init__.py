"""A partner goes live, or changes, by one bundle of JSON."""
