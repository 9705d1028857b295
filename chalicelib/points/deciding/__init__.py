"""From an event to amounts: whom it concerns, how they stand, and what the rules of its date say."""
