"""Detection: rules as people write them, read, and shown the events that they can match.

Rules are read by `loader` into a `rule.RulePack`; `engine` judges records by them, in the worker processes of
`processes`; `routing` knows which records need not be shown to a rule, `authoring` is for whoever writes one.
Nothing in here imports dagster, pandas or pyarrow: it runs in light worker processes.
"""
