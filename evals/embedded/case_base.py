"""Builds the embedded case base from lesions of training phantoms.

    python -m evals.embedded.case_base --data FOLDER … --out retrieval/embedded

The largest lesion of each class of each phantom may enter, at `SPACING` mm; half of them with a mask that differs from
the truth as a segmenter's does. Kinds and phases share the places as evenly as they can. The same phantoms make the
same base. It is valid for synthetic scans only.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.commands.index_entries import Told, entry_of, vector_of
from agent.errors import UsageError
from evals.embedded.case_base_record import record
from evals.embedded.data import SPACING, load_sample, training_options
from evals.embedded.lesion_rows import JITTERS, PLAIN, jittered, phantom_case
from evals.phantom_tissue import CLASSES, LESION_CLASSES
from retrieval.case_files import MANIFEST
from retrieval.case_model import Batch, CaseEntry
from retrieval.cases import CaseBase
from retrieval.files import write_whole
from tools.array_store import ArrayStore
from tools.encode import load_encoder
from tools.encoders.protocol import Encoder
from tools.lesion_list import lesion_list
from tools.library import encoder_id
from tools.ontology import load_ontology

MOST = 400
ENCODER = "descriptor"
SITE = "phantom"
RECORD = "record.json"
SALT = sha256(b"no patient is in this base").hexdigest()
"""Phantoms need no secret, and the base is to be the same whenever it is made."""


@dataclass(frozen=True)
class Candidate:
    """A lesion class of a phantom.

    Attributes:
        path: of the phantom.
        structure: canonical identifier of the class.
        phase: contrast phase.
    """

    path: Path
    structure: str
    phase: str

    @property
    def seed(self) -> int:
        """Of the phantom."""
        return int(self.path.stem)

    @property
    def kind(self) -> tuple[str, str]:
        """What places are shared between: type with its organ (of no side), and phase."""
        one = load_ontology().get(self.structure)
        return f"{load_ontology().get(str(one.organ)).base or one.organ} {one.lesion_type}", self.phase


def candidates(folders: Sequence[Path]) -> list[Candidate]:
    """Every lesion class of every training phantom, by seed.

    Raises:
        UsageError: there are no training phantoms.
    """
    paths = sorted(one for folder in folders for one in folder.glob("*.npz") if one.stem.isdecimal())
    found = []
    for path in paths:
        with np.load(path, allow_pickle=False) as stored:
            there = set(np.unique(stored["labels"]).tolist())
        phase = training_options(int(path.stem)).phase.value
        found += [Candidate(path, name, phase) for name in LESION_CLASSES if CLASSES[name] in there]
    if not found:
        raise UsageError(f"There are no training phantoms in {', '.join(map(str, folders))}.")
    return sorted(found, key=lambda one: (one.seed, one.structure))


def chosen(every: Sequence[Candidate], most: int = MOST) -> list[Candidate]:
    """As many as there is place for: one of each kind in turn, in an order that follows from the seeds."""
    waiting: dict[tuple[str, str], list[Candidate]] = {}
    for one in every:
        waiting.setdefault(one.kind, []).append(one)
    for kind, row in waiting.items():
        order = np.random.default_rng([len(kind[0]), len(row)]).permutation(len(row))
        waiting[kind] = [row[int(at)] for at in order]
    taken: list[Candidate] = []
    while len(taken) < most and any(waiting.values()):
        for kind in sorted(waiting):
            if waiting[kind] and len(taken) < most:
                taken.append(waiting[kind].pop())
    return sorted(taken, key=lambda one: (one.seed, one.structure))


def lesions(some: Sequence[Candidate], encoder: Encoder, store: ArrayStore | None) -> Iterator[Batch]:
    """Entries and vectors of lesions, a phantom at a time; those that are cut off are left out.

    Args:
        some: sorted by seed.
        encoder: what makes the vectors.
        store: where vectors are kept between runs.
    """
    for path in dict.fromkeys(one.path for one in some):
        here = [one for one in some if one.path == path]
        hu, labels = load_sample(path)
        rng = np.random.default_rng([here[0].seed, 19])
        differing = str(rng.choice(JITTERS))
        altered = jittered(labels, differing, rng)
        made = []
        for one in here:
            variant = differing if rng.random() < 0.5 else PLAIN
            held = _lesion(hu, labels if variant == PLAIN else altered, one, variant, encoder, store)
            if held is not None:
                made.append(held)
        if made:
            yield [entry for entry, _ in made], np.stack([vector for _, vector in made])


def _lesion(
    hu: NDArray[np.float32], labels: NDArray[np.uint8], one: Candidate, variant: str, encoder: Encoder,
    store: ArrayStore | None,
) -> tuple[CaseEntry, NDArray[np.float32]] | None:  # fmt: skip
    """The largest lesion of a class as an entry with its vector; None where it is not wholly seen."""
    case = phantom_case(hu, labels, (SPACING,) * 3)
    found = lesion_list(case, one.structure).lesions
    if not found or any(lesion.cut for lesion in found):
        return None
    told = Told(f"phantom {one.seed}", "synthetic", site=SITE)
    entry = entry_of(case, one.structure, found[0], told, one.phase)
    entry = entry.model_copy(update={"extra": {**entry.extra, "seed": one.seed, "mask": variant}})
    return entry, vector_of(case, one.structure, found[0], encoder, store)


def build(folders: Sequence[Path], out: Path, most: int = MOST, cache: Path | None = None) -> dict[str, Any]:
    """Write the case base and its record into a folder.

    Args:
        folders: with training phantoms.
        out: where; a case base that is there is replaced.
        most: number of lesions.
        cache: where vectors are kept between runs.

    Returns:
        The record.
    """
    encoder = load_encoder(ENCODER)
    batches = list(lesions(chosen(candidates(folders), most), encoder, ArrayStore(cache) if cache else None))
    with tempfile.TemporaryDirectory() as scratch:
        # Made elsewhere, so that what was there stays until the new one is whole.
        with CaseBase.create(Path(scratch), encoder_id(encoder), batches, synthetic_only=True, salt=SALT) as base:
            told = record(base, batches)
        _replace(Path(scratch), out)
    text = json.dumps(told, indent=1, sort_keys=True) + "\n"
    write_whole(out / RECORD, lambda file: file.write(text.encode()))
    return told


def _replace(made: Path, out: Path) -> None:
    """Bring a base to where it belongs, its manifest last."""
    out.mkdir(parents=True, exist_ok=True)
    names = sorted((one.name for one in made.iterdir() if not one.name.startswith(".")), key=lambda n: n == MANIFEST)
    for name in names:
        data = (made / name).read_bytes()
        write_whole(out / name, lambda file, data=data: file.write(data))  # type: ignore[misc]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, nargs="+", help="folders of training phantoms")
    parser.add_argument("--out", type=Path, required=True, help="folder of the case base")
    parser.add_argument("--most", type=int, default=MOST, help="number of lesions")
    parser.add_argument("--cache", type=Path, help="folder that keeps vectors between runs")
    given = parser.parse_args()
    build(given.data, given.out, given.most, given.cache)


if __name__ == "__main__":
    main()
