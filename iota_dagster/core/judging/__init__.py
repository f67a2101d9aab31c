"""A batch's events → matches: which of them a rule can match at all, and how they are shown to it."""
