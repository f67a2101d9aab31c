"""Records → events: classified, read into rows, every one of them accounted for."""
