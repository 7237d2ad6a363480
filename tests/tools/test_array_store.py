"""Arrays come back as they were stored, and damaged entries count as missing."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from agent.errors import UsageError
from tools.array_store import ArrayStore

KEY = "ab" * 32


def test_arrays_and_values_come_back(tmp_path: Path) -> None:
    store = ArrayStore(tmp_path)
    mask = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    store.put(KEY, {"mask": mask, "empty": np.zeros((0, 3), np.float32)}, {"name": "liver", "n": 3})
    found = store.get(KEY)
    assert found is not None
    assert found.meta == {"name": "liver", "n": 3}
    assert found.arrays["mask"].dtype == np.uint8
    np.testing.assert_array_equal(found.arrays["mask"], mask)
    assert found.arrays["empty"].shape == (0, 3)


def test_what_is_not_there_is_missing(tmp_path: Path) -> None:
    assert ArrayStore(tmp_path).get(KEY) is None


@pytest.mark.parametrize("damage", ["cut", "empty", "text", "moved", "swapped", "pickled"])
def test_damaged_entries_count_as_missing(tmp_path: Path, damage: str) -> None:
    store = ArrayStore(tmp_path)
    store.put(KEY, {"mask": np.ones(8, np.uint8)})
    path = store.path(KEY)
    whole = path.read_bytes()
    if damage == "cut":
        path.write_bytes(whole[: len(whole) // 2])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "text":
        path.write_text("no archive", encoding="utf-8")
    elif damage == "moved":
        other = "cd" * 32
        store.path(other).parent.mkdir(parents=True)
        path.rename(store.path(other))
        assert store.get(other) is None
    else:
        buffer, changed = io.BytesIO(), io.BytesIO()
        values = np.zeros(8, np.uint8) if damage == "swapped" else np.array([{"a": 1}], dtype=object)
        np.save(buffer, values, allow_pickle=True)
        with zipfile.ZipFile(path) as old, zipfile.ZipFile(changed, "w") as new:
            for name in old.namelist():
                new.writestr(name, buffer.getvalue() if name == "mask.npy" else old.read(name))
        path.write_bytes(changed.getvalue())
    assert store.get(KEY) is None


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("", encoding="utf-8")
    with pytest.raises(UsageError, match="TUMORTRACE_CACHE"):
        ArrayStore(blocked).put(KEY, {"mask": np.ones(1)})


def test_nothing_is_left_of_a_broken_write(tmp_path: Path) -> None:
    store = ArrayStore(tmp_path)
    with pytest.raises(ValueError, match=r"[Oo]bject"):
        store.put(KEY, {"mask": np.array([object()], dtype=object)})
    assert not list(tmp_path.rglob("*.npz")) and not list(tmp_path.rglob(".new-*"))
