"""Servers that stand in for a served model."""
