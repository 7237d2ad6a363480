"""nnU-Net v2 model folders, in nnU-Net's own layout: plans.json, dataset.json, fold_*/checkpoint_final.pth.

Isensee et al., Nature Methods 2021, doi:10.1038/s41592-020-01008-z. Folders are trusted ones: networks and
preprocessing are found by the names that their plans give.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from agent.errors import ToolError
from tools.segment.backends._classes import canonical_classes, region_classes
from tools.segment.backends._declared import DECLARED, Declared, read_declared
from tools.segment.backends._device import torch_device
from tools.segment.backends._naming_folders import task_names, title
from tools.segment.backends._nnunet_predict import CHECKPOINT, find_folds, predict, predictor_class
from tools.segment.backends._weights import digest, installed, not_installed, read_json, version_of
from tools.segment.engine import MAX_VALUE, EngineSettings, Job, Offer, Segmented, Tell
from tools.segment.naming import is_background

EXTRA = "totalsegmentator"
UNSTATED = "not stated"
RANK = 40
MAX_CLASSES = 1_000
STEP = 0.5
"""Overlap of patches as in nnU-Net's own command."""


class NnUNet:
    """The engine; see the module."""

    name = "nnunet"

    def offers(self, settings: EngineSettings) -> Sequence[Offer]:
        """One task per model folder of the settings."""
        there = installed("nnunetv2", "torch")
        names = task_names(settings.models)
        return [
            self._offer(folder, name, settings.cache, there)
            for folder, name in zip(settings.models, names, strict=True)
        ]

    def _offer(self, folder: Path, task: str, cache: Path, there: bool) -> Offer:
        missing, declared, version = None, Declared(), ""
        classes: Mapping[str, tuple[str, ...]] = {}
        names: Mapping[int, str] = {}
        try:
            if not folder.is_dir():
                raise ToolError(f"there is no folder {folder}")
            declared = read_declared(folder)
            dataset = read_json(folder / "dataset.json")
            classes, names = read_classes(dataset, declared)
            _check_inputs(dataset, folder)
            if not find_folds(folder):
                raise ToolError(f"{folder} holds no fold_*/{CHECKPOINT}")
            if not there:
                raise ToolError(not_installed(EXTRA))
            version = f"{version_of('nnunetv2')}, weights {_digest(folder, cache)}"
        except ToolError as error:
            missing = str(error)
        options: dict[str, Any] = {
            "folder": str(folder), "names": {str(value): name for value, name in names.items()},
            "orientation": declared.orientation, "mirroring": declared.mirroring, "pickles": declared.pickles,
        }  # fmt: skip
        return Offer(
            backend=self.name,
            task=task,
            classes=classes,
            licence=declared.licence or UNSTATED,
            version=version,
            title=declared.title or title("the nnU-Net model", task),
            phases=declared.phases,
            max_slice_mm=declared.max_slice_mm,
            synthetic_only=declared.synthetic_only,
            rank=RANK if declared.rank is None else declared.rank,
            missing=missing,
            options=options,
        )

    def run(self, job: Job, tell: Tell) -> Segmented:
        """See `Backend.run`."""
        import nibabel as nib  # noqa: PLC0415

        tell("loading nnU-Net", 0, 0)
        for one in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"):
            os.environ.setdefault(one, str(job.out))
        device = torch_device(job.device)
        predictor = predictor_class(tell, pickles=bool(job.options["pickles"]))(
            tile_step_size=STEP, use_mirroring=bool(job.options["mirroring"]), device=device, allow_tqdm=False,
            perform_everything_on_device=device.type == "cuda",
        )  # fmt: skip
        predictor.initialize_from_trained_model_folder(str(job.options["folder"]), None)
        image: Any = nib.load(job.scan)
        axes = nib.orientations
        turn = axes.ornt_transform(
            axes.io_orientation(image.affine), axes.axcodes2ornt(str(job.options["orientation"]))
        )
        back = axes.ornt_transform(
            axes.axcodes2ornt(str(job.options["orientation"])), axes.io_orientation(image.affine)
        )
        turned = image.as_reoriented(turn)
        hu = np.asarray(turned.dataobj, dtype=np.float32).transpose(2, 1, 0)
        spacing = np.linalg.norm(turned.affine[:3, :3], axis=0)[::-1]
        made = predict(predictor, np.ascontiguousarray(hu), (float(spacing[0]), float(spacing[1]), float(spacing[2])))
        labels = axes.apply_orientation(made.transpose(2, 1, 0), back)
        given: Any = job.options["names"]
        return Segmented(
            labels=np.ascontiguousarray(labels), names={int(value): str(name) for value, name in given.items()}
        )


def read_classes(
    dataset: Mapping[str, object], declared: Declared
) -> tuple[dict[str, tuple[str, ...]], dict[int, str]]:
    """Canonical classes and names by label value from a dataset.json.

    Where labels are regions, a value is painted for each of them in the order of `regions_class_order`; the name of a
    value is then the region for which it is painted.

    Raises:
        ToolError: it names no classes, or what it says of them is contradictory, as one clause.
    """
    labels = dataset.get("labels")
    if not isinstance(labels, dict) or not 1 < len(labels) <= MAX_CLASSES:
        raise ToolError("its dataset.json names no labels")
    try:
        values = {
            str(name): tuple(int(one) for one in (value if isinstance(value, list) else [value]))
            for name, value in labels.items()
            if str(name) != "ignore"
        }
        given: Any = dataset.get("regions_class_order") or ()
        order = [int(one) for one in given]
    except (TypeError, ValueError, OverflowError) as error:
        raise ToolError("the labels in its dataset.json are not numbers") from error
    values = {name: of for name, of in values.items() if set(of) != {0} and not is_background(name)}
    learned = {name: of for name, of in values.items() if declared.classes is None or name in declared.classes}
    if not all(0 <= value <= MAX_VALUE for of in (*values.values(), order) for value in of):
        raise ToolError(f"the labels in its dataset.json are not all from 0 to {MAX_VALUE}")
    if not any(isinstance(value, list) for value in labels.values()):
        named = {of[0]: name for name, of in values.items()}
        if len(named) != len(values):
            raise ToolError("two labels in its dataset.json have the same value")
        return canonical_classes(learned), named
    names = dict(zip(order, values, strict=False))
    if len(order) != len(values) or len(names) != len(values) or 0 in names:
        raise ToolError("the regions_class_order in its dataset.json does not fit its labels")
    return region_classes(learned, names), names


def _check_inputs(dataset: Mapping[str, object], folder: Path) -> None:
    """One CT channel, and no earlier stage of a cascade.

    Raises:
        ToolError: it needs something else, as one clause.
    """
    channels = dataset.get("channel_names", dataset.get("modality"))
    if not isinstance(channels, dict) or len(channels) != 1 or "CT" not in str(next(iter(channels.values()))).upper():
        raise ToolError("it does not take one CT as its only input (channel_names in its dataset.json)")
    configurations = read_json(folder / "plans.json").get("configurations")
    used = folder.name.rsplit("__", 1)[-1]
    found = configurations.get(used) if isinstance(configurations, dict) else None
    if isinstance(found, dict) and found.get("previous_stage"):
        raise ToolError("it is the second stage of a cascade, which needs the result of the first")


def _digest(folder: Path, cache: Path) -> str:
    given = [folder / one for one in ("dataset.json", "plans.json", DECLARED)]
    files = [one for one in given if one.is_file()] + sorted(folder.glob(f"fold_*/{CHECKPOINT}"))
    return digest(files, folder, cache)


BACKEND = NnUNet()
