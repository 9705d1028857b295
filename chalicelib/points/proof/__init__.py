"""Proof that nothing was altered, lost or made up: the chain of hashes, and everything derived reckoned again."""
