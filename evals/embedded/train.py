"""Trains one of the embedded networks on phantoms.

    python -m evals.embedded.train organs --minutes 25 --data FOLDER --out FILE

Learns for a given time from the training phantoms that lie in a folder (those that come in the meantime as well),
with random scaling, shifts of HU, noise and blur. The best learning rate is not searched for: this is a small
network for demonstrations and tests.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from evals.embedded.classes import NETWORKS, NetworkSpec
from evals.embedded.data import SPACING, load_sample, training_options
from evals.embedded.layouts import load_weights
from evals.embedded.network import build
from evals.phantom_tissue import LESION_CLASSES

RATE = 2e-3
WARM_UP = 0.04
RARITY = (0.75, 0.5)
"""Power of a class's number of voxels by which it counts less, at the beginning and at the end: what is rare is learned
first, and how rare it is last."""
LESIONS = 0.65
"""Share of the patches around a structure that are laid around a lesion, where there is one."""
HARD = ("pancreas_pdac", "pancreas_pnet", "pancreas_cyst")
"""Lesions that patches are laid around three times as often: in a small organ that looks like the bowel beside it."""
RESCAN = 40
"""Steps after which the folder is looked at again."""
HELD = 16
"""Samples held in memory, each used for several steps."""


class Patches:
    """Draws training patches: (1, 1, i, j, k) input and (1, i, j, k) classes."""

    def __init__(self, spec: NetworkSpec, folder: Path, rng: np.random.Generator) -> None:
        self._spec, self._folder, self._rng = spec, folder, rng
        self._table = spec.look_up()
        self._lesions = {*LESION_CLASSES, *spec.sided}
        self._held: list[tuple[NDArray[np.float32], NDArray[np.uint8], dict[int, NDArray[np.int64]]]] = []
        self._files: list[Path] = []
        self._drawn = 0

    def draw(self) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """One patch with its classes."""
        if self._drawn % RESCAN == 0:
            self._files = [one for one in sorted(self._folder.glob("*.npz")) if self._fits(one)]
        if len(self._held) < HELD or self._drawn % 2 == 0:
            self._held = [*self._held[1 - HELD :], self._load(self._files[int(self._rng.integers(len(self._files)))])]
        self._drawn += 1
        hu, classes, places = self._held[int(self._rng.integers(len(self._held)))]
        factor = SPACING / self._spec.spacing
        # A patch of the network's spacing, drawn from a grid turned by nothing but scaled a little.
        scale = np.exp(self._rng.normal(0, 0.06, 3)) * factor
        size = np.asarray(self._spec.patch)
        extent = size / scale
        centre = self._centre(np.asarray(hu.shape), extent, places)
        start = centre - extent / 2 + 0.5 / scale
        matrix, offset = 1 / scale, start - 0.5
        smooth = hu if factor == 1 else ndimage.gaussian_filter(hu, self._rng.uniform(0, 0.5) / factor)
        patch = ndimage.affine_transform(smooth, matrix, offset, tuple(size), order=1, cval=-1000.0)
        target = ndimage.affine_transform(classes, matrix, offset, tuple(size), order=0, cval=0)
        return self._normalise(self._disturb(patch)), target.astype(np.int64)

    def _fits(self, path: Path) -> bool:
        if ".part" in path.name:
            return False
        return not self._spec.phases or training_options(int(path.stem)).phase in self._spec.phases

    def _load(self, path: Path) -> tuple[NDArray[np.float32], NDArray[np.uint8], dict[int, NDArray[np.int64]]]:
        hu, labels = load_sample(path)
        classes = self._table[labels]
        flat = classes.ravel()
        places = {}
        for value in np.unique(flat):
            if value:
                found = np.flatnonzero(flat == value)
                places[int(value)] = self._rng.choice(found, min(200, len(found)))
        return hu, classes, places

    def _centre(
        self, shape: NDArray[Any], extent: NDArray[Any], places: dict[int, NDArray[np.int64]]
    ) -> NDArray[np.float64]:
        if self._rng.random() < 0.75 and places:
            # Every class as often as any other: small ones are seen as much as large ones; lesions in half of all.
            lesions = [value for value in places if self._spec.classes[value] in self._lesions]
            lesions += [value for value in lesions if self._spec.classes[value] in HARD] * 2
            among = lesions if lesions and self._rng.random() < LESIONS else list(places)
            chosen = among[int(self._rng.integers(len(among)))]
            at = np.array(np.unravel_index(int(self._rng.choice(places[chosen])), tuple(shape)), dtype=np.float64)
            at += self._rng.uniform(-0.3, 0.3, 3) * extent
        else:
            at = self._rng.uniform(0, 1, 3) * shape
        # No patch lies mostly outside; one that is larger than the scan stays near its middle.
        room = np.maximum(shape - extent, 0) / 2 + 4
        return np.asarray(np.clip(at, shape / 2 - room, shape / 2 + room))

    def _disturb(self, patch: NDArray[np.float32]) -> NDArray[np.float32]:
        rng = self._rng
        if rng.random() < 0.2:
            sigma = [0.0, 0.0, 0.0]
            sigma[int(rng.choice(3, p=(0.15, 0.15, 0.7)))] = float(rng.uniform(0.3, 0.9))
            patch = ndimage.gaussian_filter(patch, sigma)
        patch = patch + rng.normal(0, rng.uniform(0, 8)) * np.float32(1)
        return patch + rng.normal(0, rng.uniform(0, 12), patch.shape).astype(np.float32)

    def _normalise(self, patch: NDArray[np.float32]) -> NDArray[np.float32]:
        low, high = self._spec.window
        return np.asarray((np.clip(patch, low, high) - low) / self._spec.scale, dtype=np.float32)


def dice_loss(probabilities: Any, target: Any) -> Any:
    """One minus the mean soft Dice of the classes that the patch holds: (classes, n) and (n,)."""
    import torch  # noqa: PLC0415

    truth = torch.zeros_like(probabilities).scatter_(0, target[None], 1.0)
    there = truth.sum(1) > 0
    there[0] = False
    if not bool(there.any()):
        return probabilities.sum() * 0
    both, all_ = (probabilities * truth).sum(1), probabilities.sum(1) + truth.sum(1)
    return 1 - ((2 * both + 1) / (all_ + 1))[there].mean()


def rare_loss(probabilities: Any, target: Any, rarity: float) -> Any:
    """Cross entropy in which rare classes count for more: lesions are a thousandth of a patch's voxels."""
    import torch  # noqa: PLC0415

    counts = torch.bincount(target, minlength=len(probabilities)).float()
    weight = torch.where(counts > 0, counts.clamp(min=20.0) ** -rarity, 0.0)
    return torch.nn.functional.nll_loss(probabilities.clamp(min=1e-7).log().T, target, weight)


def loss_of(logits: Any, target: Any, joined: Any, rarity: float) -> Any:
    """What is learned from: every class by itself, and the lesions of an organ whatever their type.

    Args:
        logits: (1, classes, i, j, k).
        target: (1, i, j, k) classes.
        joined: (classes,) number of the group of every class.
        rarity: power by which classes with many voxels count less.
    """
    import torch  # noqa: PLC0415

    probabilities, truth = torch.softmax(logits[0].flatten(1), 0), target.flatten()
    groups = torch.zeros(int(joined.max()) + 1, probabilities.shape[1]).index_add_(0, joined, probabilities)
    every = ((probabilities, truth), (groups, joined[truth]))
    return sum(rare_loss(one, true, rarity) + dice_loss(one, true) for one, true in every) / 2


def groups_of(spec: NetworkSpec) -> list[int]:
    """Number of the group of every class: lesions of an organ are one, everything else is by itself."""
    names = [_group(name, spec) for name in spec.classes]
    order = list(dict.fromkeys(names))
    return [order.index(name) for name in names]


def _group(name: str, spec: NetworkSpec) -> str:
    lesion = name in LESION_CLASSES or name in spec.sided
    return name.split("_", maxsplit=1)[0] + " lesion" if lesion else name


def train(
    spec: NetworkSpec,
    folder: Path,
    out: Path,
    minutes: float,
    *,
    seed: int = 0,
    threads: int = 2,
    begin: Path | None = None,
    most: float = RATE,
) -> None:
    """Learn for some minutes and write the weights, with the course of the loss beside them."""
    import torch  # noqa: PLC0415

    torch.manual_seed(seed)
    torch.set_num_threads(threads)
    network = build(spec).to(memory_format=torch.channels_last_3d)
    if begin is not None:
        network.load_state_dict(load_weights(begin, spec))
    patches = Patches(spec, folder, np.random.default_rng(seed))
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=1e-4)
    joined = torch.tensor(groups_of(spec))
    start, step, course, recent = time.monotonic(), 0, [], []
    while (done := (time.monotonic() - start) / 60 / minutes) < 1:
        rate = most * min(1.0, (done + 1e-3) / WARM_UP) * (1 - done) ** 0.9
        for group in optimizer.param_groups:
            group["lr"] = rate
        image, target = patches.draw()
        logits = network(torch.from_numpy(image)[None, None].contiguous(memory_format=torch.channels_last_3d))
        rarity = RARITY[0] + (RARITY[1] - RARITY[0]) * done
        loss = loss_of(logits, torch.from_numpy(target)[None], joined, rarity)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        recent.append(loss.item())
        step += 1
        if step % 25 == 0:
            course.append([step, round(float(np.mean(recent)), 4)])
            sys.stderr.write(f"{spec.name}: {done:4.0%} of {minutes:g} min, step {step}, loss {course[-1][1]}\n")
            recent = []
            torch.save(network.state_dict(), out)
    torch.save(network.state_dict(), out)
    out.with_suffix(".json").write_text(
        json.dumps({"network": spec.name, "minutes": minutes, "steps": step, "seed": seed, "loss": course}), "utf-8"
    )


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("network", choices=sorted(NETWORKS))
    parser.add_argument("--minutes", type=float, default=25)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--begin", type=Path, help="weights to go on from (.pt, or .onnx)")
    parser.add_argument("--rate", type=float, default=RATE, help="highest learning rate; lower to go on from weights")
    given = parser.parse_args()
    train(
        NETWORKS[given.network], given.data, given.out, given.minutes, threads=given.threads, begin=given.begin,
        most=given.rate,
    )  # fmt: skip


if __name__ == "__main__":
    main()
