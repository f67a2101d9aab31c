"""Benchmarks: they print figures and judge none of them; they stop only where the work was not done as it must be."""
