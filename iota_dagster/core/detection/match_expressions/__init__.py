"""Conditions on an event that are written in YAML: filters, exclusions, and rules without Python."""
