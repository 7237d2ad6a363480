"""What rests on an engine's mask has no bound; what rests on the user's labels keeps it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.case_make import run
from tests.label_make import scan_of
from tools.base import Case
from tools.estimated import REASON, rests_on
from tools.types import State
from tools.volume import LabelSet


@pytest.mark.parametrize(
    ("target", "estimated", "rests"),
    [
        ("liver", {"liver"}, True),
        ("liver", {"spleen"}, False),
        ("kidney", {"kidney_left"}, True),
        ("liver_lesion", {"liver"}, True),
        ("liver_cyst", {"liver_lesion"}, True),
        ("liver", {"liver_cyst"}, True),
        ("liver_segment_4", {"liver"}, True),
        ("spleen+liver", {"liver"}, True),
        ("liver_lesion#2", {"liver_lesion"}, True),
        ("scan", {"liver"}, True),
        ("scan", set(), False),
        ("liver", set(), False),
    ],
)
def test_what_rests_on_an_engine_s_mask(target: str, estimated: set[str], rests: bool) -> None:
    assert rests_on(target, estimated) is rests


def _case(*estimated: str) -> Case:
    hu = np.full((12, 12, 12), 60, np.int16)
    layer = np.zeros((12, 12, 12), np.uint8)
    layer[2:6, 2:8, 5:], layer[7:11, 2:8, 3:9] = 1, 2
    scan = scan_of(hu)
    entries: dict[str, tuple[tuple[int, int], ...]] = {"liver": ((0, 1),), "spleen": ((0, 2),)}
    return Case(scan=scan, labels=LabelSet(scan.grid, (layer,), entries, estimated=frozenset(estimated)))


def test_a_cut_off_organ_has_a_lower_bound_only_by_labels() -> None:
    by_labels = run(_case(), "measure_structure", structure="liver")["volume"]
    assert by_labels.state is State.NOT_MEASURABLE and by_labels.lower_bound is not None
    by_engine = run(_case("liver"), "measure_structure", structure="liver")["volume"]
    assert by_engine.state is State.NOT_MEASURABLE and by_engine.lower_bound is None
    assert REASON in str(by_engine.reason)
    beside = run(_case("spleen"), "measure_structure", structure="liver")["volume"]
    assert beside.lower_bound == by_labels.lower_bound


def test_engines_and_labels_are_different_labels() -> None:
    one, other = _case().labels, _case("liver").labels
    assert one is not None and other is not None and one.digest != other.digest
    assert replace(other, estimated=frozenset()).digest == one.digest
