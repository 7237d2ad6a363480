"""Settings of all tests."""

from __future__ import annotations

from hypothesis import settings

# Time is measured by benchmarks, not by tests: a machine that is busy must not fail one.
settings.register_profile("tumortrace", deadline=None)
settings.load_profile("tumortrace")
