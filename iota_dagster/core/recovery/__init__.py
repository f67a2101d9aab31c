"""What a lost or restored store learns from its lake, and what is thrown away when nothing needs it."""
