"""Benchmarks: they print figures and assert nothing; no test measures time."""
