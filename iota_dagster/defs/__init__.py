"""Dagster: partitions, resources, assets and jobs, each a few lines over `core`."""

import warnings

import dagster as dg

# Backfill policies and data versions are beta in 1.13; the lock pins the version, and users need not know.
warnings.filterwarnings("ignore", category=dg.BetaWarning)
