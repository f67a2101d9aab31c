"""Rules in processes of their own: what a bad rule does there costs itself, not the run."""
