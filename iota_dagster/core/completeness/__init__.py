"""Whether every log that was written is here, unchanged, and whether its source still writes."""
