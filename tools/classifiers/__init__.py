"""Specialised classifiers of lesion types: what one is, where they are found, and how a lesion is described to them."""
