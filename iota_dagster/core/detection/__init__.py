"""Detection: the event view, the rule loader, the engine and the rule tests.

Nothing in here imports dagster, pandas or pyarrow: it runs in light worker processes.
"""
