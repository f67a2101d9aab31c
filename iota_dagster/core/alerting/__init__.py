"""From matches to people: grouping into alerts, the outbox, destinations. SQL is in `core/store/alerts.py`."""
