"""The domain: plain Python that knows no Dagster (`tests/test_layers.py` walks the imports).

A log object's way through the packages:

    arrival → batch ┬ reading → ingest (sources) → dedup      one commit (store)
                    ├ judging (detection) → correlating → alerting
                    └ lake → scheduled_queries, quality, completeness, backtest

`observability` and `tracing` show what was done, `recovery` cleans up and repairs, `aws` is one side of the interfaces
in `storage` and `objects`. The other modules here are what all of them use: hours, errors, the words of the product.
"""
