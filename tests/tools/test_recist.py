"""RECIST: what is measurable, which lesions become targets, and how they are followed into a later scan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.case_make import Ellipsoid, affine_of, boxes_case, case_of, orders, paint, reorder, run
from tests.said import say_all
from tools import recist_lesions
from tools.base import Case
from tools.intervals import interval
from tools.recist_lesions import Candidate
from tools.shape import Diameters
from tools.types import Evidence, State
from tools.volume import ScanHeader

SIZE = (60, 50, 20)
SPACING = (1.0, 1.0, 2.0)
LIVER = np.s_[2:58, 2:48, 2:18]


def _bar(i: int, j: int, length: int, *, k: int = 8, width: int = 4) -> Any:
    """A box whose longest axial diameter is its diagonal, taken between edge midpoints: about `length`."""
    return np.s_[i : i + length, j : j + width, k : k + 3]


def _case(lesions: Mapping[str, Any], *, empty: tuple[str, ...] = (), **more: Any) -> Case:
    boxes = {"liver": LIVER, **lesions}
    return boxes_case(SIZE, boxes, empty=empty, spacing=SPACING, **more)


def _targets(case: Case) -> dict[str, Evidence]:
    made = run(case, "recist_targets")
    say_all(made.values())
    return made


def _rows(one: Evidence) -> list[dict[str, Any]]:
    rows = one.details["rows"]
    assert isinstance(rows, list)
    return [row for row in rows if isinstance(row, dict)]


class TestMeasurable:
    """From 10 mm on; on thick slices from twice their thickness on; nodes by their short axis."""

    @pytest.mark.parametrize(("length", "measurable"), [(9, False), (10, True), (11, True)])
    def test_at_the_limit_and_beside_it(self, length: int, measurable: bool) -> None:
        made = _targets(_case({"liver_lesion": np.s_[10 : 10 + length, 10:11, 6:14]}))
        row = _rows(made["target_count"])[0]
        assert row["long_axis_mm"] == pytest.approx(length, abs=0.1)
        assert row["limit_mm"] == 10.0
        assert made["measurable_disease"].value is measurable
        assert made["measurable_disease"].details["borderline"] == ["measurable", "not measurable"]
        assert made["target_count"].value == int(measurable)

    @pytest.mark.parametrize(("thickness", "limit"), [(None, 10.0), (5.0, 10.0), (5.1, 10.2), (7.0, 14.0), (1.0, 10.0)])
    def test_thick_slices_need_longer_lesions(self, thickness: float | None, limit: float) -> None:
        header = ScanHeader(source="dicom", slice_thickness=thickness)
        made = _targets(_case({"liver_lesion": _bar(10, 10, 12)}, header=header))
        assert made["measurable_disease"].details["limit_mm"] == pytest.approx(limit)
        assert made["measurable_disease"].value is (limit <= 12.5)

    def test_the_spacing_counts_where_the_thickness_is_not_known(self) -> None:
        case = boxes_case(SIZE, {"liver": LIVER, "liver_lesion": _bar(10, 10, 12)}, spacing=(1, 1, 8))
        made = _targets(case)
        assert made["measurable_disease"].details["limit_mm"] == 16.0
        assert made["measurable_disease"].value is False

    @pytest.mark.parametrize(
        ("short", "why"),
        [
            (9.99, "a normal lymph node"),
            (10.0, "a pathological lymph node, but no target"),
            (14.99, "a pathological lymph node, but no target"),
            (15.0, "a target lesion"),
        ],
    )
    def test_nodes_count_by_their_short_axis(self, short: float, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
        lesion: Any = SimpleNamespace(axes=Diameters(30.0, short, 5), cut=(), volume=3.0)
        node = Candidate("lymph_node", "lymph_node", lesion, 1, True, False, False, 5, 0.7)
        monkeypatch.setattr(recist_lesions, "candidates", lambda case: [node])
        found = recist_lesions.choose(_case({}))[0]
        assert (found.why, found.chosen) == (why, short >= 15)
        assert found.borderline is (abs(short - 15) <= 0.7)

    def test_nodes_are_found_by_their_label(self) -> None:
        made = _targets(_case({"lymph_node": np.s_[10:40, 20:38, 6:14]}))
        row = _rows(made["target_count"])[0]
        assert (row["node"], row["organ"], row["chosen"]) == (True, "lymph_node", True)
        assert made["target_sum"].value == row["short_axis_mm"]

    def test_cysts_and_benign_lesions_are_not_followed(self) -> None:
        lesions = {
            "liver_cyst": _bar(5, 5, 20),
            "liver_hemangioma": _bar(5, 15, 20),
            "liver_metastasis": _bar(5, 30, 12),
        }
        made = _targets(_case(lesions))
        assert [(row["class"], row["chosen"]) for row in _rows(made["target_count"])] == [
            ("liver_cyst", False), ("liver_hemangioma", False), ("liver_metastasis", True),
        ]  # fmt: skip
        only = _targets(_case({"liver_cyst": _bar(5, 5, 20)}))
        assert only["measurable_disease"].value is False
        assert (only["target_sum"].state, only["target_count"].value) == (State.ABSENT, 0)

    def test_a_lesion_that_is_cut_off_is_no_target(self) -> None:
        made = _targets(_case({"lung_lesion_left": np.s_[0:20, 10:14, 8:12]}))
        assert _rows(made["target_count"])[0]["why"] == "cut off by the field of view"
        assert (made["measurable_disease"].value, made["target_count"].value) == (True, 0)
        small = _targets(_case({"lung_lesion_left": np.s_[0:5, 10:14, 8:12]}))
        assert (small["measurable_disease"].state, small["measurable_disease"].value) == (State.NOT_MEASURABLE, None)

    def test_what_nobody_looked_for_is_not_assessed(self) -> None:
        for case in (_case({}), _case({}, empty=("liver_lesion",)), Case(scan=_case({}).scan)):
            made = _targets(case)
            assert {one.state for one in made.values()} == {State.NOT_ASSESSED}
            assert all(one.value is None for one in made.values())


class TestTargets:
    """At most five, two per organ, the longest first."""

    def test_two_per_organ_and_five_in_all(self) -> None:
        lesions = {
            "liver_lesion": [_bar(4, 4, 12), _bar(4, 10, 14), _bar(4, 16, 16)],
            "spleen_lesion": [_bar(24, 4, 12), _bar(24, 10, 13)],
            "kidney_lesion_left": [_bar(40, 4, 15)],
            "kidney_lesion_right": [_bar(40, 10, 17), _bar(24, 40, 11)],
        }
        made = _targets(_case(lesions))
        rows = _rows(made["target_count"])
        assert made["target_count"].value == 5
        # the lesions are ordered by length; both kidneys are one organ
        assert [(row["class"], row["n"]) for row in rows if row["chosen"]] == [
            ("kidney_lesion_right", 1), ("liver_lesion", 1), ("kidney_lesion_left", 1), ("liver_lesion", 2),
            ("spleen_lesion", 1),
        ]  # fmt: skip
        assert {row["why"] for row in rows if not row["chosen"]} == {
            "enough longer targets in the same organ",
            "enough longer targets",
        }
        chosen = [row["long_axis_mm"] for row in rows if row["chosen"]]
        assert made["target_sum"].value == pytest.approx(sum(chosen), abs=1e-3)
        assert made["target_sum"].uncertainty == pytest.approx(5.0)
        assert "RECIST 1.1" in say_all(made.values())[0]

    def test_a_lesion_in_two_label_maps_is_one(self) -> None:
        plain = _case({"liver_metastasis": _bar(5, 5, 20)})
        assert plain.labels is not None
        layers = (plain.labels.layers[0], (plain.labels.layers[0] == 2).astype(np.uint8))
        entries = {**plain.labels.entries, "liver_lesion": ((1, 1),)}
        case = replace(plain, labels=replace(plain.labels, layers=layers, entries=entries))
        made = _targets(case)
        assert [row["class"] for row in _rows(made["target_count"])] == ["liver_metastasis"]

    def test_every_order_of_the_file_gives_the_same_targets(self) -> None:
        affine = affine_of((2.0, 2.0, 3.0), (30, 26, 16), turn=(10, -15, 20), shear=8)
        shapes = (
            Ellipsoid("liver", (0, 0, 0), (24, 20, 17)),
            Ellipsoid("liver_lesion", (-10, 2, 0), (9, 7, 7)),
            Ellipsoid("liver_lesion", (10, -2, 3), (7, 6, 6)),
        )
        hu, labels, numbers = paint(shapes, (30, 26, 16), affine)
        expected = None
        for order in list(orders())[::5]:
            moved, new = reorder(hu, affine, order)
            case = case_of(moved, reorder(labels, affine, order)[0], new, numbers)
            made = run(case, "recist_targets")["target_sum"]
            rows = [{k: v for k, v in row.items() if k != "slice"} for row in _rows(made)]
            expected = expected or (made.value, rows)
            assert (made.value, rows) == expected


class TestResponse:
    """The targets of the earlier scan, found again."""

    def _made(self, before: Mapping[str, Any], now: Mapping[str, Any], **more: Any) -> dict[str, Evidence]:
        empty = tuple({*before, *now, "liver_lesion"} - set(now) - {"liver"})
        was = tuple({*before, *now, "liver_lesion"} - set(before) - {"liver"})
        case = replace(_case(now, empty=empty, **more), prior=_case(before, empty=was))
        made = run(case, "recist_response")
        say_all(made.values())
        return made

    def test_without_an_earlier_scan_there_is_no_response(self) -> None:
        made = run(_case({"liver_lesion": _bar(5, 5, 20)}), "recist_response")
        assert {one.state for one in made.values()} == {State.NOT_ASSESSED}
        assert all("--prior" in str(one.reason) for one in made.values())
        say_all(made.values())

    def test_growth(self) -> None:
        made = self._made({"liver_lesion": _bar(10, 10, 20)}, {"liver_lesion": _bar(8, 10, 25)})
        before, now = made["prior_target_sum"].value, made["followed_sum"].value
        assert isinstance(before, float)
        assert isinstance(now, float)
        assert before == pytest.approx(20.1, abs=0.5)
        assert now == pytest.approx(25.1, abs=0.5)
        assert made["response_change"].value == pytest.approx(now - before, abs=1e-3)
        assert made["response_change_percent"].value == pytest.approx(100 * (now / before - 1), abs=1e-2)
        assert made["new_lesions"].value == 0
        assert made["remaining_targets"].value == 1
        assert "baseline and nadir" in str(made["response_change_percent"].reason)

    def test_what_has_vanished_counts_as_zero(self) -> None:
        made = self._made({"liver_lesion": [_bar(10, 10, 20), _bar(10, 30, 20)]}, {"liver_lesion": _bar(10, 10, 20)})
        assert made["response_change_percent"].value == pytest.approx(-50, abs=0.1)
        assert made["remaining_targets"].value == 1
        gone = self._made({"liver_lesion": _bar(10, 10, 20)}, {})
        assert (gone["followed_sum"].value, gone["response_change_percent"].value) == (0.0, -100.0)
        assert gone["remaining_targets"].value == 0

    def test_it_is_not_gone_where_nobody_looked(self) -> None:
        before = _case({"liver_lesion": _bar(10, 10, 20)})
        unlabelled = replace(_case({"spleen_lesion": _bar(10, 10, 20)}), prior=before)
        made = run(unlabelled, "recist_response")
        assert made["response_change_percent"].state is State.NOT_MEASURABLE
        assert made["remaining_targets"].state is State.NOT_MEASURABLE
        boxes = {"liver": np.s_[0:58, 2:48, 2:18]}  # the liver is cut off now
        cut = replace(boxes_case(SIZE, boxes, empty=("liver_lesion",), spacing=SPACING), prior=before)
        assert run(cut, "recist_response")["followed_sum"].state is State.NOT_MEASURABLE

    def test_a_new_lesion(self) -> None:
        both = [_bar(10, 10, 20), _bar(10, 36, 14)]
        made = self._made({"liver_lesion": _bar(10, 10, 20)}, {"liver_lesion": both})
        assert made["new_lesions"].value == 1
        assert made["response_change"].value == pytest.approx(0, abs=1e-6)

    def test_where_the_earlier_scan_did_not_look_a_lesion_need_not_be_new(self) -> None:
        before = _case({"liver_lesion": _bar(10, 10, 20)})
        now = {"liver_lesion": _bar(10, 10, 20), "spleen_lesion": _bar(10, 36, 14)}
        made = run(replace(_case(now), prior=before), "recist_response")["new_lesions"]
        assert (made.state, made.value, made.lower_bound) == (State.NOT_MEASURABLE, None, 0)
        surely = {**now, "liver_lesion": [_bar(10, 10, 20), _bar(38, 10, 12)]}
        more = run(replace(_case(surely), prior=before), "recist_response")["new_lesions"]
        known = interval(more)
        assert known is not None
        assert known.low == 1

    def test_new_cysts_and_specks_do_not_count(self) -> None:
        now = {"liver_lesion": [_bar(10, 10, 20), np.s_[40:42, 40:42, 8:10]], "liver_cyst": _bar(30, 30, 14)}
        made = self._made({"liver_lesion": _bar(10, 10, 20)}, now)
        assert made["new_lesions"].value == 0

    def test_a_lesion_in_parts_is_not_new(self) -> None:
        parts = [_bar(10, 10, 11), _bar(22, 10, 10)]
        made = self._made({"liver_lesion": _bar(10, 10, 24)}, {"liver_lesion": parts})
        assert made["new_lesions"].value == 0
        rows = _rows(made["followed_sum"])
        assert rows[0]["course"] == "found in several parts"
        assert made["followed_sum"].value == pytest.approx(21, abs=1.5)

    def test_lesions_that_have_grown_together_are_still_there(self) -> None:
        made = self._made(
            {"liver_lesion": [_bar(10, 10, 12), _bar(24, 10, 12)]}, {"liver_lesion": _bar(8, 10, 32, width=6)}
        )
        assert made["new_lesions"].value == 0
        assert made["remaining_targets"].value == 2
        assert made["followed_sum"].value == pytest.approx(32.2, abs=0.6)

    def test_another_scan_position_and_breathing_are_seen_through(self) -> None:
        """The later scan is shifted, tilted, sampled otherwise, and the liver is a little larger."""
        affine = affine_of((2.0, 2.0, 3.0), (40, 34, 22), turn=(6, 0, 8))
        first = (
            Ellipsoid("liver", (0, 0, 0), (32, 26, 24)),
            Ellipsoid("liver_lesion", (-14, 4, 2), (8, 8, 8)),
            Ellipsoid("liver_lesion", (12, -4, -4), (9, 8, 8)),
        )
        hu, labels, numbers = paint(first, (40, 34, 22), affine)
        before = case_of(hu, labels, affine, numbers)
        away = np.array([120.0, -60.0, 40.0])
        later = affine_of((1.7, 1.7, 3.5), (46, 40, 24), turn=(-5, 4, 0), centre=away.tolist())
        scale = 1.1
        second = (
            Ellipsoid("liver", tuple(away), tuple(scale * np.array((32, 26, 24)))),
            Ellipsoid("liver_lesion", tuple(away + scale * np.array((-14, 4, 2))), (4, 4, 4)),
            Ellipsoid("liver_lesion", tuple(away + scale * np.array((12, -4, -4))), (11, 10, 10)),
        )
        hu, labels, numbers = paint(second, (46, 40, 24), later)
        made = run(replace(case_of(hu, labels, later, numbers), prior=before), "recist_response")
        rows = {row["n"]: row for row in _rows(made["followed_sum"])}
        assert rows[1]["prior_mm"] == pytest.approx(18, abs=2.5)
        assert rows[1]["now_mm"] == pytest.approx(22, abs=2.5)
        assert rows[2]["now_mm"] == pytest.approx(8, abs=2.5)
        assert made["new_lesions"].value == 0

    def test_nodes_are_followed_by_what_is_around_them(self) -> None:
        before = {"lymph_node": [_bar(10, 10, 20, width=16), _bar(10, 30, 20, width=16)]}
        now = {"lymph_node": [_bar(10, 10, 20, width=16), _bar(15, 35, 7, width=6)]}
        made = self._made(before, now)
        rows = _rows(made["followed_sum"])
        assert [row["course"] for row in rows] == ["found", "found"]
        # a node of less than 10 mm is left, but normal
        assert made["remaining_targets"].value == 1

    def test_no_target_no_change(self) -> None:
        made = self._made({"liver_lesion": _bar(10, 10, 6)}, {"liver_lesion": [_bar(10, 10, 6), _bar(30, 30, 12)]})
        assert made["response_change_percent"].state is State.NOT_MEASURABLE
        assert made["new_lesions"].value == 1
        assert made["remaining_nontargets"].value == 1


class TestLesionsOfNoNamedOrgan:
    """No organ gives more than two targets: lesions that may lie in several organs leave the targets open."""

    BARS = (_bar(4, 4, 30), _bar(4, 12, 25), _bar(4, 20, 20), _bar(4, 28, 15))

    @pytest.mark.parametrize("count", [1, 2, 3, 4])
    def test_more_than_two_leave_the_sum_open(self, count: int) -> None:
        made = _targets(_case({"lesion": list(self.BARS[:count])}))
        assert made["measurable_disease"].value is True
        if count <= 2:
            assert made["target_count"].value == count
            return
        for name in ("target_sum", "target_count"):
            assert (made[name].state, made[name].value) == (State.NOT_MEASURABLE, None)
            assert "organ" in str(made[name].reason)
        assert made["target_count"].lower_bound == 2
        assert made["target_sum"].lower_bound == pytest.approx(np.hypot(30, 3) + np.hypot(25, 3), abs=1.5)

    def test_a_named_organ_gives_two(self) -> None:
        made = _targets(_case({"liver_lesion": list(self.BARS)}))
        assert (made["target_count"].value, made["target_count"].state) == (2, State.MEASURED)

    def test_the_response_is_open_but_new_and_vanished_lesions_decide(self) -> None:
        before = _case({"lesion": list(self.BARS)})
        smaller = replace(_case({"lesion": [_bar(4, 4 + 8 * n, 9) for n in range(4)]}), prior=before)
        made = run(smaller, "recist_response")
        for name in ("response_change_percent", "response_change", "remaining_targets", "remaining_nontargets"):
            assert (made[name].state, made[name].value) == (State.NOT_MEASURABLE, None), name
        gone = run(replace(_case({"lesion": []}), prior=before), "recist_response")
        assert (gone["remaining_targets"].value, gone["remaining_nontargets"].value) == (0, 0)


def test_labels_that_were_not_given_are_not_called_empty() -> None:
    with_lesion = _case({"liver_lesion": _bar(10, 10, 20)})
    for case, which in (
        (replace(with_lesion, prior=replace(with_lesion, labels=None)), "the earlier scan"),
        (replace(with_lesion, labels=None, prior=with_lesion), "this scan"),
    ):
        made = run(case, "recist_response")["new_lesions"]
        assert made.state is State.NOT_ASSESSED
        assert made.reason == f"no labels of {which} were given"
