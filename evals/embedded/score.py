"""How well the embedded networks see phantoms that they were not trained on: Dice per class, printed and recorded.

    python -m evals.embedded.score --phantoms 12

Runs the networks through the same code as a question does, on phantoms with seeds below those of the training, made as
those were: with lesions of all types, and in the phases that a network is for.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO

import numpy as np

from evals.embedded.classes import NETWORKS, NetworkSpec
from evals.embedded.data import make_training_phantom, training_options
from evals.phantom import Phantom
from evals.phantom_options import PhantomOptions
from evals.phantom_tissue import LESION_CLASSES
from evals.segmentation.score import dice, region_of
from retrieval.files import write_whole
from tools.array_store import ArrayStore
from tools.ontology import load_ontology
from tools.segment.backends.embedded import all_classes, embedded_record, record
from tools.segment.engine import EngineSettings
from tools.segment.workshop import Workshop
from tools.volume import LabelSet, Scan, ScanHeader, to_canonical

FIRST = 900_000
FOLDER = Path("tools/segment/embedded")


def held_out(count: int, first: int = FIRST) -> dict[str, dict[str, float]]:
    """Mean Dice by network and class over unseen phantoms that have the class (in truth or as predicted)."""
    found: dict[str, dict[str, list[float]]] = {}
    with TemporaryDirectory() as folder:
        workshop = Workshop(EngineSettings(cache=Path(folder)), ArrayStore(Path(folder)), engines=("embedded",))
        for seed in range(first, first + count):
            for offer in workshop.offers():
                spec = NETWORKS[offer.task]
                phantom = phantom_like_training(seed, spec)
                hu, grid, orientation = to_canonical(phantom.hu, phantom.affine)
                truth, _, _ = to_canonical(phantom.labels, phantom.affine)
                scan = Scan(hu, grid, orientation, ScanHeader("phantom", synthetic=True))
                # All classes, also those that the record of an earlier score leaves out.
                whole = replace(offer, classes=all_classes(record(offer.task)))
                _, masks = workshop.masks(scan, whole, tuple(whole.classes))
                own = found.setdefault(offer.task, {})
                for name, value in _dice(masks, truth, phantom.names, _members(spec)).items():
                    own.setdefault(name, []).append(value)
    return {
        task: {name: round(float(np.mean(values)), 4) for name, values in sorted(classes.items())}
        for task, classes in sorted(found.items())
    }


def phantom_like_training(seed: int, spec: NetworkSpec) -> Phantom:
    """An unseen phantom like those of the training, on the grid that phantoms have."""
    options = training_options(seed)
    own: dict[str, Any] = {"spacing": PhantomOptions(seed=seed).spacing}
    if spec.phases and options.phase not in spec.phases:
        own["phase"] = spec.phases[seed % len(spec.phases)]
    return make_training_phantom(options.model_copy(update=own))


def _members(spec: NetworkSpec) -> Mapping[str, Sequence[str]]:
    """Phantom classes by class of a network, where they are not the one of its name."""
    general = {
        name: tuple(one for one, organ in LESION_CLASSES.items() if organ == load_ontology().get(name).organ)
        for name in spec.covers
    }
    # A class of both sides is told apart by the time that it is seen.
    return {name: members for name, members in spec.members.items() if name not in spec.sided} | general


def _dice(
    masks: LabelSet, truth: Any, names: Mapping[str, int], merged: Mapping[str, Sequence[str]]
) -> dict[str, float]:
    found = {}
    for ident, keys in masks.entries.items():
        members = [names[one] for one in merged.get(ident, (ident,)) if one in names]
        if not members:
            continue
        agreement = dice(region_of(np.isin(truth, members)), masks.region(keys))
        if agreement is not None:
            found[ident] = agreement
    return found


def _put(text: bytes, file: BinaryIO) -> None:
    file.write(text)


def main() -> None:
    """Command line: print the table and write it into the records."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--phantoms", type=int, default=12)
    given = parser.parse_args()
    for task, classes in held_out(given.phantoms).items():
        told = embedded_record(task) | {"held_out": {"phantoms": given.phantoms, "first_seed": FIRST, "dice": classes}}
        text = (json.dumps(told, indent=1) + "\n").encode()
        write_whole(FOLDER / f"{task}.json", partial(_put, text))
        sys.stdout.write(f"{task}\n" + "".join(f"  {name:32} {dice:.3f}\n" for name, dice in classes.items()))


if __name__ == "__main__":
    main()
