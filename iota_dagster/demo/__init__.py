"""Invented logs: a company of three AWS accounts, its daily noise, and an attack on it; and logs to measure with."""
