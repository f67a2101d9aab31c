"""Which events a rule can match, read off its code without running it, so that the others need not be shown to it."""
