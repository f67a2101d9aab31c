"""The lake: Parquet files per table and event hour; their schemas, publication and queries."""
