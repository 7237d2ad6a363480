"""Embeddings are made once for the same content, and never taken for other content."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from agent.errors import ToolError, UsageError
from tests.real import opened, real
from tests.scan_make import refused
from tools.array_store import ArrayStore
from tools.crop import Crop
from tools.encode import embed, embedding_key, load_encoder, region_digest
from tools.encoders.descriptor import DIMENSION
from tools.encoders.protocol import CropArguments
from tools.volume import Grid, Orientation, Region, Scan, ScanHeader


@dataclass
class Counting:
    """An encoder that counts its calls."""

    name: str = "counting"
    version: str = "1"
    dimension: int = 3
    crop: CropArguments = field(default_factory=lambda: CropArguments(4.0, 2.0))
    calls: int = 0
    wrong: float = 0.0

    def encode(self, crop: Crop) -> NDArray[np.float32]:
        self.calls += 1
        mean = float(crop.hu[crop.mask].mean())
        return np.array([mean, mean / 3, self.wrong], np.float32)


@pytest.fixture
def scan() -> Scan:
    hu = np.random.default_rng(2).integers(-50, 90, (20, 20, 20)).astype(np.int16)
    orientation = Orientation(np.array([[0.0, 1], [1, 1], [2, 1]]), (20, 20, 20))
    return Scan(hu, Grid((20, 20, 20), np.diag([2.0, 2, 2, 1])), orientation, ScanHeader("nifti"))


@pytest.fixture
def region() -> Region:
    return Region((slice(6, 12), slice(7, 13), slice(8, 12)), np.ones((6, 6, 4), np.bool_))


def test_a_second_call_computes_nothing_and_gives_the_same_bits(scan: Scan, region: Region, tmp_path: Path) -> None:
    encoder, store = Counting(), ArrayStore(tmp_path)
    first = embed(scan, region, encoder, store)
    second = embed(scan, region, encoder, store)
    assert encoder.calls == 1
    assert first.tobytes() == second.tobytes()
    embed(scan, region, encoder)
    assert encoder.calls == 2


def test_a_damaged_entry_is_made_anew(scan: Scan, region: Region, tmp_path: Path) -> None:
    encoder, store = Counting(), ArrayStore(tmp_path)
    first = embed(scan, region, encoder, store)
    path = store.path(embedding_key(scan, region, encoder))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(bytes(content[:-9]))
    assert embed(scan, region, encoder, store).tobytes() == first.tobytes()
    assert encoder.calls == 2
    store.put(embedding_key(scan, region, encoder), {"vector": np.zeros(5, np.float32)})
    assert embed(scan, region, encoder, store).tobytes() == first.tobytes()


def test_everything_that_matters_is_part_of_the_key(scan: Scan, region: Region) -> None:
    encoder = Counting()
    other = replace(region, box=(slice(7, 13), *region.box[1:]))
    keys = [
        embedding_key(scan, region, encoder),
        embedding_key(replace(scan, hu=scan.hu + np.int16(1)), region, encoder),
        embedding_key(replace(scan, padding=-3024.0), region, encoder),
        embedding_key(scan, other, encoder),
        embedding_key(scan, region, encoder, context=other),
        embedding_key(scan, region, Counting(version="2")),
        embedding_key(scan, region, Counting(name="other")),
        embedding_key(scan, region, Counting(crop=CropArguments(5.0, 2.0))),
        embedding_key(scan, region, Counting(crop=CropArguments(4.0, 2.0, (8, 8, 8)))),
    ]
    assert len(set(keys)) == len(keys)
    loose = Region((slice(5, 13), slice(7, 13), slice(8, 12)), np.pad(region.mask, ((1, 1), (0, 0), (0, 0))))
    assert embedding_key(scan, loose, encoder) == keys[0]


def test_what_cannot_be_encoded_is_a_tool_error(scan: Scan, region: Region, tmp_path: Path) -> None:
    empty = replace(region, mask=region.mask & False)
    with pytest.raises(ToolError, match=r"the mask is empty$"):
        embed(scan, empty, Counting(), ArrayStore(tmp_path))
    with pytest.raises(ToolError, match="no finite vector"):
        embed(scan, region, Counting(wrong=float("nan")), ArrayStore(tmp_path))
    with pytest.raises(ToolError, match="no finite vector"):
        embed(scan, region, Counting(dimension=4), ArrayStore(tmp_path))
    assert not list(tmp_path.rglob("*.npz"))
    assert region_digest(empty, empty_ok=True) == "empty"


def test_an_encoder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as error:
        load_encoder("nothing")
    assert "descriptor" in refused(error.value)
    (tmp_path / "encoder.json").write_text('{"backend": "unheard"}')
    with pytest.raises(UsageError) as error:
        load_encoder(tmp_path)
    assert "names no backend" in refused(error.value)
    (tmp_path / "encoder.json").write_text("[")
    with pytest.raises(UsageError) as error:
        load_encoder(tmp_path)
    assert "cannot be read" in refused(error.value)


@pytest.mark.realdata
@pytest.mark.slow
def test_real_tumours_have_distinct_vectors_and_nearest_neighbours() -> None:
    encoder = load_encoder("descriptor")
    vectors = []
    for folder in sorted(real("sarcoma").iterdir()):
        case = opened("sarcoma", folder.name)
        assert case.labels is not None
        region = case.labels.region(tuple(case.labels.boxes))
        assert region is not None
        vectors.append(embed(case.scan, region, encoder))
    every = np.stack(vectors)
    assert every.shape == (len(vectors), DIMENSION)
    assert np.isfinite(every).all()
    gaps = np.linalg.norm(every[:, None] - every[None], axis=-1)
    np.fill_diagonal(gaps, np.inf)
    assert gaps.min() > 0.05
    nearest = gaps.argmin(axis=1)
    # Not everyone's neighbour is the same: the vectors do not collapse around one patient.
    assert len(set(nearest.tolist())) >= 3
