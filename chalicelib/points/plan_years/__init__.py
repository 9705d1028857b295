"""The end of a plan year: what is carried over, forfeited and granted anew, member by member."""
