"""Content addressing of results: the same content has one address, any change has another."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from agent.errors import UsageError
from tests.case_make import boxes_case
from tests.evidence_make import at_least, measured
from tools.base import Case, CaseSettings, Facts, Tool, knowledge_digest
from tools.registry import load_tools
from tools.store import Store
from tools.types import Evidence, State
from tools.volume import Grid

KEY = "ab" + "0" * 62
OTHER = "ab" + "1" * 62


def evidence() -> list[Evidence]:
    return [measured("volume", "liver", 1500.25, margin=3.5), at_least("volume", "spleen", 261.4)]


def entry(root: Path) -> Path:
    [path] = root.rglob("*.json")
    return path


def test_what_is_put_is_got(tmp_path: Path) -> None:
    store = Store(tmp_path / "not" / "there")
    assert store.get(KEY) is None
    store.put(KEY, evidence())
    assert store.get(KEY) == evidence()
    assert Store(tmp_path / "not" / "there").get(KEY) == evidence()
    assert store.get(OTHER) is None
    store.put(KEY, [])
    assert store.get(KEY) == []


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: "",
        lambda text: text.replace("1500.25", "1500.26"),
        lambda text: text.replace("spleen", "stomac"),
        lambda text: text.replace('"measured"', '"absent"'),
        lambda text: text[:-1] + ',"more":1}',
        lambda text: json.dumps([1, 2]),
        lambda text: "\udcff\udcfe" + text,
    ],
    ids=["cut", "empty", "value", "target", "state", "field", "other", "bytes"],
)
def test_a_damaged_entry_counts_as_missing_and_is_made_anew(tmp_path: Path, damage: Any) -> None:
    store = Store(tmp_path)
    store.put(KEY, evidence())
    path = entry(tmp_path)
    broken = damage(path.read_text())
    assert broken != path.read_text()
    path.write_bytes(broken.encode(errors="surrogateescape"))
    assert store.get(KEY) is None
    store.put(KEY, evidence())
    assert store.get(KEY) == evidence()


def test_an_entry_moved_to_another_address_counts_as_missing(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.put(KEY, evidence())
    path = entry(tmp_path)
    path.rename(path.with_name(f"{OTHER}.json"))
    assert store.get(OTHER) is None


def test_a_failed_write_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path)
    store.put(KEY, evidence())

    def full(_: int) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(UsageError, match="no space"):
        store.put(KEY, [])
    assert store.get(KEY) == evidence()
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [f"{KEY}.json"]


def test_readers_beside_writers_see_all_or_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path)
    versions = [[measured("volume", "liver", float(n))] * (n + 1) for n in range(8)]
    store.put(KEY, versions[0])
    seen: list[bool] = []
    start = threading.Barrier(10)

    def write(version: list[Evidence]) -> None:
        start.wait()
        for _ in range(10):
            store.put(KEY, version)

    def read() -> None:
        start.wait()
        for _ in range(60):
            seen.append(store.get(KEY) in versions)

    threads = [threading.Thread(target=write, args=(one,)) for one in versions]
    threads += [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 120
    assert all(seen)
    assert store.get(KEY) in versions
    assert [path.suffix for path in tmp_path.rglob("*") if path.is_file()] == [".json"]


# -- addresses --------------------------------------------------------------------------------------------------------

SIZE = (12, 10, 8)


def case() -> Case:
    return boxes_case(SIZE, {"liver": np.s_[3:8, 3:7, 2:6]}, empty=["spleen"], padding=-2000.0)


def tool(name: str = "measure_structure") -> Tool:
    return load_tools()[name]


def key(one: Case, name: str = "measure_structure", **arguments: Any) -> str:
    return tool(name).key(one, arguments or {"structure": "liver"})


def test_equal_content_has_one_address() -> None:
    """Neither a file's name nor where in memory the arrays lie plays a part."""
    one, other = case(), case()
    fortran = replace(other, scan=replace(other.scan, hu=np.asfortranarray(other.scan.hu)))
    assert other.labels is not None
    renamed = replace(other, labels=replace(other.labels, source="another file", notes=("resampled",)))
    assert key(one) == key(other) == key(fortran) == key(renamed)
    assert len(key(one)) == 64


def _changes() -> dict[str, Case]:
    base = case()
    assert base.labels is not None
    hu, layer = base.scan.hu.copy(), base.labels.layers[0].copy()
    hu[0, 0, 0] += 1
    layer[0, 0, 0] = 2
    affine = base.scan.grid.affine.copy()
    affine[0, 3] += 0.001
    grid = Grid(base.scan.grid.shape, affine)
    scan, labels = base.scan, base.labels
    turned = replace(scan.orientation, transform=scan.orientation.transform * [1, -1])
    return {
        "voxel": replace(base, scan=replace(scan, hu=hu)),
        "affine": replace(base, scan=replace(scan, grid=grid)),
        "padding": replace(base, scan=replace(scan, padding=-3024.0)),
        "no padding": replace(base, scan=replace(scan, padding=None)),
        "orientation": replace(base, scan=replace(scan, orientation=turned)),
        "header": replace(base, scan=replace(scan, header=replace(scan.header, phase_text="portal"))),
        "label voxel": replace(base, labels=replace(labels, layers=(layer,))),
        "label affine": replace(base, labels=replace(labels, grid=grid)),
        "label name": replace(base, labels=replace(labels, entries={"spleen": ((0, 1),), "liver": ((0, 2),)})),
        "label undeclared": replace(base, labels=replace(labels, entries={"liver": ((0, 1),)})),
        "no labels": replace(base, labels=None),
    }


def test_any_change_has_another_address() -> None:
    keys = {name: key(changed) for name, changed in _changes().items()}
    keys["nothing"] = key(case())
    keys["argument"] = key(case(), structure="spleen")
    keys["tool"] = key(case(), "measure_axes", structure="liver")
    keys["version"] = replace(tool(), version="other").key(case(), {"structure": "liver"})
    assert len(set(keys.values())) == len(keys)


def test_settings_matter_to_the_tools_that_read_them() -> None:
    for changed in (CaseSettings(min_lesion_mm3=51.0), CaseSettings(phase="portal"), CaseSettings(prefer=("RadGPT",))):
        other = replace(case(), settings=changed)
        assert key(other) == key(case())
        assert key(other, "lesion_components") != key(case(), "lesion_components")


def test_what_the_labels_say_of_themselves_matters_to_the_tool_that_tells_it() -> None:
    one = case()
    assert one.labels is not None
    for changed in ({"notes": ("resampled",)}, {"source": "DICOM SEG"}):
        other = replace(one, labels=replace(one.labels, **changed))
        assert tool("label_checks").key(other, {}) != tool("label_checks").key(one, {})


def test_changed_knowledge_has_another_address(monkeypatch: pytest.MonkeyPatch) -> None:
    before = key(case()), tool("rule_thresholds").key(case(), {"rule": "spleen-enlarged-bezerra"})
    assert len(knowledge_digest()) == 64
    monkeypatch.setattr("tools.base.knowledge_digest", lambda: "edited")
    after = key(case()), tool("rule_thresholds").key(case(), {"rule": "spleen-enlarged-bezerra"})
    assert set(before).isdisjoint(after)


def test_evidence_has_an_id_of_its_content() -> None:
    one = measured("volume", "liver", 1500.25)
    assert one.id == one.expected_id()
    for field, value in {
        "value": 1500.26, "unit": "ml", "target": "spleen", "state": State.ABSENT, "reason": "x", "uncertainty": 1.0,
        "lower_bound": 1.0, "method": "x", "version": "2", "slice": 3, "inputs": ("x",), "arguments": {"a": 1},
        "details": {"a": 1}, "tool": "x", "quantity": "x",
    }.items():  # fmt: skip
        assert one.model_copy(update={field: value}).expected_id() != one.id, field
    assert one.model_copy(update={"artifact": "picture.png"}).expected_id() == one.id


# -- tools ------------------------------------------------------------------------------------------------------------


def test_the_registry_finds_every_tool_once() -> None:
    tools = load_tools()
    assert {
        "measure_structure", "measure_axes", "lesion_components", "lesion_side", "presence", "structure_list", "total",
        "difference", "ratio", "convert", "compare", "compare_number", "extreme", "any_of", "apply_rule", "weigh_rules",
        "rule_thresholds", "no_rule", "contrast_phase", "label_checks", "scan_checks",
    } <= set(tools)  # fmt: skip
    for name, one in tools.items():
        assert one.name == name
        assert one.description.endswith(".")
        assert one.schema()["additionalProperties"] is False
        assert set(one.schema().get("properties", {})) == set(one.arguments.model_fields)
    assert load_tools() is tools


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("measure_structure", {}),
        ("measure_structure", {"structure": 3}),
        ("measure_structure", {"structure": None}),
        ("measure_structure", {"structure": ["liver"]}),
        ("measure_structure", {"structure": "liver", "extra": 1}),
        ("contrast_phase", {"structure": "liver"}),
        ("ratio", {"numerator": "a", "denominator": "b", "percent": "yes"}),
        ("ratio", {"numerator": "a", "denominator": "b", "percent": 1}),
        ("compare", {"first": "a", "second": "b", "comparator": "more"}),
        ("total", {"items": "a"}),
        ("total", {"items": [1]}),
        ("compare_number", {"item": "a", "comparator": "gt", "number": "5"}),
    ],
)
def test_arguments_are_checked_strictly(name: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        tool(name).call(case(), arguments)


def test_evidence_carries_its_call() -> None:
    for one in tool().call(case(), {"structure": "liver"}):
        assert (one.tool, one.version, one.arguments) == ("measure_structure", tool().version, {"structure": "liver"})
        assert one.id == one.expected_id()
    compared = tool("compare_number").call(
        Facts(evidence={(v := measured("volume", "liver", 5.0)).id: v}),
        {"item": v.id, "comparator": "gt", "number": 3},
    )
    assert compared[-1].arguments == {"item": v.id, "comparator": "gt", "number": 3.0, "unit": None}


def test_deriving_tools_need_no_arrays() -> None:
    derives = {name for name, one in load_tools().items() if one.derives}
    assert {"total", "ratio", "compare", "apply_rule", "weigh_rules", "rule_thresholds", "convert"} <= derives
    assert derives.isdisjoint({"measure_structure", "presence", "contrast_phase", "label_checks", "scan_checks"})


def test_a_cache_that_cannot_be_written_is_named_in_one_sentence(tmp_path: Path) -> None:
    taken = tmp_path / "cache"
    taken.write_text("a file where the folder should be")
    store = Store(taken)
    assert store.get("0" * 64) is None
    with pytest.raises(UsageError, match=r"cache .* cannot be written .* TUMORTRACE_CACHE"):
        store.put("0" * 64, [])
