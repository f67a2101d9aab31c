"""iota: a self-hosted detection platform and security lake, orchestrated by Dagster."""
