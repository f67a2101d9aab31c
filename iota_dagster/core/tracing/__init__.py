"""Where an event came from, and what became of it."""
