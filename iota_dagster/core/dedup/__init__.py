"""Every event once (DESIGN §5): who an event is, and which are known; filters say "surely not", id files the rest."""
