"""How well segmentation engines do on phantoms that they have never seen, and what that does to answers."""
