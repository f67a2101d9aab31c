"""AWS: the only place where clients are made, and what is read and written through them."""
