"""Name tables, the program's and the user's."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.errors import UsageError
from tools.ontology import load_ontology
from tools.segment.class_maps import known_class_maps, load_class_map

WANTED = ((1, "liver"), (2, "left kidney"))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.json", '{"1": "liver", "2": "left kidney"}'),
        ("a.json", '{"liver": 1, "left kidney": "2"}'),
        ("a.json", '{"channel_names": {"0": "CT"}, "labels": {"liver": 1, "left kidney": 2}}'),
        ("a.json", '{"labels": [{"id": 1, "name": "liver"}, {"id": 2, "name": "left kidney"}]}'),
        ("a.json", '\ufeff{"1": "liver", "2": "left kidney"}'),
        ("a.yaml", "1: liver\n2: left kidney\n"),
        ("a.yml", "labels:\n  liver: 1\n  left kidney: 2\n"),
        ("a.csv", "value,name\n1,liver\n2,left kidney\n"),
        ("a.csv", "Structure,Volume,Label\nliver,x,1\nleft kidney,y,2\n"),
        ("a.csv", "id,label\n1,liver\n2,left kidney\n"),
        ("a.csv", "label,class\n1,liver\n2,left kidney\n"),
        ("a.csv", "Label Name;Label ID\nliver;1\nleft kidney;2\n"),
        ("a.tsv", "index\tname\tcolor\n1\tliver\tred\n2\tleft kidney\tblue\n"),
        ("a.csv", "1,liver\n2,left kidney\n"),
        ("a.csv", 'value,name\n1,"liver"\n2,"left kidney"\n\n'),
        ("a.txt", '# ITK-SNAP\n1 255 0 0 1 1 1 "liver"\n2 0 255 0 1 1 1 "left kidney"\n'),
    ],
)
def test_user_tables(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert load_class_map(str(tmp_path / name)).rows == WANTED


def test_regions_give_a_value_several_names(tmp_path: Path) -> None:
    (tmp_path / "d.json").write_text('{"labels": {"background": 0, "whole": [1, 2], "core": [2]}}')
    assert load_class_map(str(tmp_path / "d.json")).rows == ((0, "background"), (1, "whole"), (2, "whole"), (2, "core"))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.json", "{broken"),
        ("a.json", "[1, 2]"),
        ("a.json", '"liver"'),
        ("a.json", '{"1.5": "liver"}'),
        ("a.json", '{"liver": true}'),
        ("a.json", "{}"),
        ("a.json", '{"0": "background"}'),
        ("a.json", '{"-3": "liver"}'),
        ("a.json", "[" * 100_000),
        ("a.yaml", "a: [b: c"),
        ("a.csv", ""),
        ("a.csv", "value,colour\n1,red\n"),
        ("a.csv", "name,structure\nliver,liver\n"),
        ("a.csv", "value,name\n1,liver\n1,spleen\n"),
        ("a.csv", "\x00\x01\x02"),
        ("a.json", '{"liver": ' + "9" * 5000 + "}"),
        ("a.json", '{"liver": 4294967296}'),
        ("a.json", '{"whole": [1, -1]}'),
        ("a.yaml", "liver: " + "9" * 5000),
        ("a.yaml", "1: 2001-99-99"),
        ("a.yaml", "&a\n1: *a\n"),
    ],
)
def test_unusable_tables_are_refused_in_one_sentence(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        load_class_map(str(tmp_path / name))
    assert "a." in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_huge_or_binary_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "big.json").write_bytes(b" " * (5 << 20))
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00value,name")
    (tmp_path / "big.yaml").write_bytes(b"# \n" * (100 << 10))
    for name in ("big.json", "big.yaml", "binary.csv"):
        with pytest.raises(UsageError):
            load_class_map(str(tmp_path / name))


@pytest.mark.parametrize("name", known_class_maps())
def test_class_maps_that_come_along_are_canonical(name: str) -> None:
    rows = load_class_map(name).rows
    ontology = load_ontology()
    values = [value for value, _ in rows]
    assert values == list(range(1, len(rows) + 1))
    for _, label in rows:
        structure = ontology.get(label)
        assert ontology.normalise(label) == label or label == "prostate_or_uterus"
        assert structure.kind != "lesion" or structure.organ, "lesion classes name their organ"


def test_known_sizes_and_numbers() -> None:
    maps = {name: dict(load_class_map(name).rows) for name in known_class_maps()}
    sizes = {"total": 117, "abdomenatlas": 9, "abdomenatlas1.1": 25, "btcv": 13, "amos": 15, "flare22": 13, "kits": 3}
    assert {name: len(maps[name]) for name in sizes} == sizes
    assert maps["total"][5] == "liver"
    assert maps["abdomenatlas"][7] == maps["abdomenatlas1.1"][7] == "inferior_vena_cava"
    assert maps["flare22"][13] == maps["kits"].get(9, "kidney_left")
    assert "kidney_cyst" not in maps["kits19"].values(), "KiTS19 never looked for cysts"


def test_aliases_are_refused_before_they_are_written_out(tmp_path: Path) -> None:
    """Eight lines that would stand for a billion words."""
    lines = ["x0: &x0 [" + ", ".join("y" * 10) + "]"]
    lines += [f"x{n}: &x{n} [" + ", ".join([f"*x{n - 1}"] * 10) + "]" for n in range(1, 9)]
    lines += ["labels:", "  - {value: 1, name: liver, other: *x8}"]
    (tmp_path / "a.yaml").write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(UsageError, match="cannot be read as YAML"):
        load_class_map(str(tmp_path / "a.yaml"))
