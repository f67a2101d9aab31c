"""What iota shows of itself: figures of steps, metrics for Prometheus, status, and small pictures."""
