"""Whether the lake holds what the ledger says it does, and whether its tables are as their schemas say."""
