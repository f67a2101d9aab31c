"""The quality of the lake over a platform: what is looked at, and the engine that holds it against its suites."""
