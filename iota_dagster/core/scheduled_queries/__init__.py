"""Queries that run over the lake by a schedule, and whose rows rules judge."""
