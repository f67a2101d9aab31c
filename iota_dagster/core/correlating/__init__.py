"""Correlation rules over the stored matches: when they are due, what they find, and what becomes of a failing one."""
