"""Clinical rules as data, and the pure functions that decide by them."""
