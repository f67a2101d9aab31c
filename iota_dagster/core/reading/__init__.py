"""The way into a log object: its bytes → records, streamed, within limits, whatever they turn out to be."""
