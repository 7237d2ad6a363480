"""Phantoms with exact truth, question suites, metrics and benchmarks."""
