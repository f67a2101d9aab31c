"""Where alerts go: one module per kind of destination, each filling `base.Destination`."""
