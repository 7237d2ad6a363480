"""Encoders: a crop becomes a vector. One file a backend; the registry finds them."""
