"""Settings of all tests."""

from __future__ import annotations

import os

from hypothesis import settings

# Time is measured by benchmarks, not by tests: a machine that is busy must not fail one.
settings.register_profile("tumortrace", deadline=None)
settings.load_profile("tumortrace")

# A test that is not about segmentation does not wait for an engine; those that are choose theirs.
os.environ["TUMORTRACE_SEGMENT"] = "none"
