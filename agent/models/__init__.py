"""Reasoning models behind one protocol."""
