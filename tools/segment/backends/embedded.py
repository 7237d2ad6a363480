"""The embedded segmenter: two small networks, trained on synthetic scans, for synthetic scans only.

It runs without torch, on a processor, in seconds. What it was trained on and how well it does is in the record beside
its weights; `docs/engines.md` tells more. It refuses real scans: it knows nothing of real patients.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from agent.errors import ToolError
from tools.ontology import Structure, load_ontology
from tools.segment.engine import EngineSettings, Job, Offer, Segmented, Tell
from tools.segment.naming import canonical
from tools.segment.sliding import best_class, probability_of, resampled_shape, slide, to_shape
from tools.segment.tidy import give_sides, tidy_lesions
from tools.types import content_hash

BACKGROUND = "background"
INPUT, OUTPUT = "image", "logits"
LEAST_DICE = 0.6
"""Mean Dice on unseen phantoms from which on a class is offered."""
SIDES = ("left", "right")
_LICENCE = "Apache-2.0, as the program"
_RANKS = {"abdomen": 90, "organs": 91}


class HeldOut(BaseModel):
    """Mean Dice by class on phantoms that the network was not trained on."""

    model_config = ConfigDict(extra="ignore")

    dice: dict[str, float] = {}


class Recorded(BaseModel):
    """What a network's record says that running it needs.

    Attributes:
        spacing: mm between the voxels that it sees.
        patch: voxels that it saw at once in training.
        window, scale: HU range that it tells apart, and HU per unit of its input.
        classes: names by output channel.
        covers: lesions of any type in an organ, without a channel of their own: lesions of the types that it tells
            apart too badly count as these.
        sided: classes of paired organs that are given a side by the organ that they lie in.
        phases: contrast phases that it was trained and scored on; all where there are none.
        sha256: of the weights.
        held_out: how well it sees phantoms that it was not trained on.
    """

    model_config = ConfigDict(extra="ignore")

    spacing: float
    patch: tuple[int, int, int]
    window: tuple[float, float]
    scale: float
    classes: tuple[str, ...]
    covers: tuple[str, ...] = ()
    sided: tuple[str, ...] = ()
    phases: tuple[str, ...] = ()
    sha256: str
    held_out: HeldOut = HeldOut()


def network_names() -> tuple[str, ...]:
    """Names of the networks that come with the program."""
    folder = files("tools.segment").joinpath("embedded")
    return tuple(sorted(entry.name[:-5] for entry in folder.iterdir() if entry.name.endswith(".onnx")))


@cache
def record(name: str) -> Recorded:
    """The record of a network."""
    text = files("tools.segment").joinpath("embedded", f"{name}.json").read_text(encoding="utf-8")
    return Recorded.model_validate_json(text)


def weights(name: str) -> bytes:
    """The weights of a network (ONNX).

    Raises:
        ToolError: they are not those of its record.
    """
    data = files("tools.segment").joinpath("embedded", f"{name}.onnx").read_bytes()
    if hashlib.sha256(data).hexdigest() != record(name).sha256:
        raise ToolError(f"the weights of the embedded network {name} are not those of its record: install it again")
    return data


class Embedded:
    """The engine."""

    name = "embedded"

    def offers(self, settings: EngineSettings) -> Sequence[Offer]:
        """One task per network."""
        del settings
        return [
            Offer(
                backend=self.name, task=name, classes=shown_classes(record(name)), licence=_LICENCE,
                version=_version(name), title=f"the embedded segmenter ({name})", synthetic_only=True,
                phases=record(name).phases, rank=_RANKS.get(name, 95),
            )
            for name in network_names()
        ]  # fmt: skip

    def run(self, job: Job, tell: Tell) -> Segmented:
        """Resample, predict tile by tile, and clean up the lesions."""
        image: Any = nib.load(job.scan)
        scan = np.asanyarray(image.dataobj)
        about = record(job.task)
        spacing = np.linalg.norm(image.affine[:3, :3], axis=0)
        logits = logits_of(job.task, scan, spacing, tell)
        labels = best_class(logits, scan.shape)
        names = {value: name for value, name in enumerate(about.classes) if name != BACKGROUND}
        labels = tidy_lesions(
            labels, lesion_groups(names), float(abs(np.linalg.det(image.affine[:3, :3]))),
            sure=lambda classes: to_shape(probability_of(logits, classes), scan.shape),
        )  # fmt: skip
        values = {name: value for value, name in names.items()}
        for name in about.sided:
            organ = name.split("_", maxsplit=1)[0]
            sides = {side: values[f"{organ}_{side}"] for side in SIDES}
            new = {side: max(names) + number for number, side in enumerate(SIDES, start=1)}
            give_sides(labels, values[name], sides, new, spacing)
            names |= {new[side]: f"{name}_{side}" for side in SIDES}
            del names[values[name]]
        give_to_organ(labels, names, set(job.names))
        # A class without a channel was looked for all the same: it has a value that no voxel has.
        names |= dict(enumerate(about.covers, max(names) + 1))
        return Segmented(labels=labels, names=names)


def logits_of(
    name: str, scan: NDArray[Any], spacing: NDArray[np.float64], tell: Tell = lambda what, done, of: None
) -> NDArray[np.float32]:
    """What a network says of a scan: (classes, i, j, k) logits at its own spacing.

    Args:
        name: of the network.
        scan: (i, j, k) HU in the axis order closest to RAS+.
        spacing: (3,) mm.
        tell: told of every finished tile.
    """
    about = record(name)
    shape = (int(scan.shape[0]), int(scan.shape[1]), int(scan.shape[2]))
    grid = resampled_shape(shape, (float(spacing[0]), float(spacing[1]), float(spacing[2])), about.spacing)
    low, high = about.window
    seen = (np.clip(to_shape(scan, grid), low, high) - low) / about.scale
    # Tiles of another size than in training would change what its normalisation sees, and cost lesions.
    return slide(
        seen.astype(np.float32), about.patch, len(about.classes), _session(name),
        lambda done, of: tell("tiles", done, of),
    )  # fmt: skip


def _session(name: str) -> Any:
    import onnxruntime  # noqa: PLC0415  (in the child process only)

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(weights(name), options, providers=["CPUExecutionProvider"])

    def predict(patch: NDArray[np.float32]) -> NDArray[np.float32]:
        found: NDArray[np.float32] = session.run([OUTPUT], {INPUT: patch[None, None]})[0][0]
        return found

    return predict


def give_to_organ(labels: NDArray[np.uint8], names: dict[int, str], wanted: set[str]) -> None:
    """Give lesions that nobody wants to their organ, in place: it would have holes.

    Args:
        labels: (i, j, k) label values.
        names: label value → class.
        wanted: classes that are kept.
    """
    ontology = load_ontology()
    values = {name: value for value, name in names.items()}
    for value, name in names.items():
        own = ontology.get(canonical(name, ontology) or name)
        if own.kind == "lesion" and name not in wanted and own.organ in values:
            labels[labels == value] = values[own.organ]


def all_classes(about: Recorded) -> Mapping[str, tuple[str, ...]]:
    """Canonical id → names of every class of a network, also of those that it does not see well enough.

    Lesions of any type in an organ are all those that it has types for.
    """
    ontology = load_ontology()
    found: dict[str, tuple[str, ...]] = {}
    for name in (*(one for one in about.classes if one not in about.sided), *_sides(about)):
        ident = canonical(name, ontology) if name != BACKGROUND else None
        if ident is not None:
            found[ident] = (name,)
    for name in about.covers:
        ident = canonical(name, ontology) or name
        own = ontology.get(ident)
        found[ident] = (name, *(names[0] for one, names in found.items() if _within(ontology.get(one), own)))
    return found


def shown_classes(about: Recorded) -> Mapping[str, tuple[str, ...]]:
    """Classes that were shown to be seen; else an empty mask would pass for absence.

    Where lesions of an organ are seen and some of their types are not, those count as lesions of any type.
    """
    dice = about.held_out.dice
    shown = {ident: names for ident, names in all_classes(about).items() if dice.get(ident, 0.0) >= LEAST_DICE}
    typed = {names[0] for names in shown.values() if len(names) == 1}
    return {ident: (names[0], *(one for one in names[1:] if one not in typed)) for ident, names in shown.items()}


def _version(name: str) -> str:
    """Digest over the weights and all that is said of them."""
    return content_hash(record(name).model_dump(mode="json"))[:16]


def _within(one: Structure, general: Structure) -> bool:
    """Whether a class is of lesions in the organ of another class of lesions."""
    return one.kind == general.kind == "lesion" and one.organ == general.organ


def _sides(about: Recorded) -> tuple[str, ...]:
    return tuple(f"{name}_{side}" for name in about.sided for side in SIDES)


def lesion_groups(names: Mapping[int, str]) -> dict[str, list[int]]:
    """Values of the lesion classes of each organ."""
    ontology = load_ontology()
    groups: dict[str, list[int]] = {}
    for value, name in names.items():
        found = ontology.get(canonical(name, ontology) or name)
        if found.kind == "lesion":
            groups.setdefault(found.organ or "", []).append(value)
    return groups


def embedded_record(name: str) -> dict[str, Any]:
    """Everything that the record of a network tells, for people."""
    text = files("tools.segment").joinpath("embedded", f"{name}.json").read_text(encoding="utf-8")
    told: dict[str, Any] = json.loads(text)
    return told


BACKEND = Embedded()
