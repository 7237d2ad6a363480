"""Which slices a report shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.agent.loop_make import make_case, run


@pytest.mark.slow
def test_what_a_report_tells_first_is_shown_first(tmp_path: Path) -> None:
    made = run(make_case(), None, tmp_path).report
    first = made.evidence[(*made.impression, *made.findings)[0].evidence[0]].target
    assert first in {made.evidence[ident].target for ident in made.pictures[0].evidence}
