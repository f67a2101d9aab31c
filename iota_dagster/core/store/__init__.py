"""The store: the relational schema and what is asked of it."""
