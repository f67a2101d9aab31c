"""The domain: plain Python that knows no Dagster (`tests/test_layers.py` walks the imports)."""
