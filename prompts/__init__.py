"""Versioned prompt templates, package data only."""
