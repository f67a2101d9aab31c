"""For whoever writes rules: tests, lint, mutants, explanations, a first draft, and what a pack finds in recordings."""
