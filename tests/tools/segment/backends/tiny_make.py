"""A network too small to be good at anything, its scan, and what it gives when it is called directly."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evals.embedded.classes import NetworkSpec
from evals.embedded.network import build
from tools.segment.backends import load_backends
from tools.segment.engine import EngineSettings, Offer, Segmented
from tools.segment.isolate import run_isolated, turn
from tools.volume import Grid, Orientation, Scan, ScanHeader

TINY = NetworkSpec(
    name="tiny",
    spacing=6.0,
    patch=(24, 16, 32),
    window=(-500.0, 300.0),
    scale=100.0,
    features=(4, 8),
    classes=("background", "spleen", "liver", "heart", "lung_left"),
    members=MappingProxyType({}),
)
FINER = replace(TINY, spacing=3.0)
ORIGIN = (-60.0, -40.0, 120.0)


def tiny_weights(spec: NetworkSpec = TINY) -> dict[str, Any]:
    """Random weights of which every class gets some voxels."""
    import torch

    torch.manual_seed(3)
    weights: dict[str, Any] = build(spec).state_dict()
    return {
        name: one * 4 if name.startswith("decoder.seg_layers") and name.endswith("weight") else one
        for name, one in weights.items()
    }


def tiny_hu(spec: NetworkSpec = TINY) -> NDArray[np.int16]:
    """Smooth blobs in air, of exactly one patch."""
    rng = np.random.default_rng(5)
    i, j, k = np.meshgrid(*[np.linspace(-1, 1, n) for n in spec.patch], indexing="ij")
    hu = np.full(spec.patch, -900.0)
    for value in (-60, 40, 120, 200):
        centre = rng.uniform(-0.6, 0.6, 3)
        hu[((i - centre[0]) ** 2 + (j - centre[1]) ** 2 + (k - centre[2]) ** 2) < 0.3] = value
    return np.rint(hu + rng.normal(0, 15, spec.patch)).astype(np.int16)


def direct(weights: dict[str, Any], spec: NetworkSpec = TINY) -> NDArray[np.uint8]:
    """(i, j, k) class indices that the network gives without any engine around it."""
    import torch

    network = build(spec)
    network.load_state_dict(weights)
    low, high = spec.window
    image = ((np.clip(tiny_hu(spec), low, high) - low) / spec.scale).astype(np.float32)
    with torch.inference_mode():
        logits = network.eval()(torch.from_numpy(image)[None, None])[0]
    return np.asarray(logits.argmax(0).numpy(), dtype=np.uint8)


def oriented(axes: tuple[int, int, int], flips: tuple[bool, bool, bool], spec: NetworkSpec = TINY) -> Scan:
    """The same scan with its axes in another order and direction."""
    hu, affine = tiny_hu(spec), np.diag([spec.spacing] * 3 + [1.0])
    affine[:3, 3] = ORIGIN
    hu, turned = hu.transpose(axes), affine.copy()
    turned[:3, :3] = affine[:3, :3][:, list(axes)]
    for axis, flip in enumerate(flips):
        if flip:
            turned[:3, 3] += turned[:3, axis] * (hu.shape[axis] - 1)
            turned[:3, axis] *= -1
            hu = np.flip(hu, axis)
    shape = (hu.shape[0], hu.shape[1], hu.shape[2])
    ornt = np.array([[0, 1], [1, 1], [2, 1]], dtype=np.float64)
    return Scan(np.ascontiguousarray(hu), Grid(shape, turned), Orientation(ornt, shape), ScanHeader("nifti"))


def straight(labels: NDArray[Any], axes: tuple[int, int, int], flips: tuple[bool, bool, bool]) -> NDArray[Any]:
    """Labels of a turned scan in the order of the one that was not turned."""
    for axis, flip in enumerate(flips):
        if flip:
            labels = np.flip(labels, axis)
    return labels.transpose(tuple(int(one) for one in np.argsort(axes)))


def the_offer(backend: str, settings: EngineSettings, task: str) -> Offer:
    """One offer of an engine."""
    (found,) = [one for one in load_backends()[backend].offers(settings) if one.task == task]
    return found


def segment(offer: Offer, scan: Scan, settings: EngineSettings, told: list[str] | None = None) -> Segmented:
    """All structures of an offer, by its engine in a process of its own."""

    def tell(what: str, finished: int, planned: int) -> None:
        if told is not None:
            told.append(f"{what} {finished} of {planned}")

    with turn(settings, offer, tell):
        return run_isolated(offer, scan, tuple(offer.classes), settings, tell)


def settings_for(folder: Path, **given: Any) -> EngineSettings:
    """Settings with a cache of their own."""
    return EngineSettings(cache=folder / "cache", device="cpu", seconds=900, **given)
