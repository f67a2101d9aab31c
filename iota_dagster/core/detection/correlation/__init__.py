"""Correlation rules: matches of other rules that mean more together, in one window of time, than each by itself."""
