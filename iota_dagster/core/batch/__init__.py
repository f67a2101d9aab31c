"""The road of a batch: claimed, fetched, prepared and committed in one transaction, then published."""
