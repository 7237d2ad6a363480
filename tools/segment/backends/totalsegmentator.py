"""TotalSegmentator, through its own Python interface, with weights that are already there.

Wasserthal et al., Radiol Artif Intell 2023, doi:10.1148/ryai.230024. Nothing is downloaded and nothing is reported to
its makers; tasks that need a licence of theirs are named, and not run.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from agent.errors import ToolError
from retrieval.files import write_whole
from tools.segment.backends._classes import canonical_classes
from tools.segment.backends._declared import DECLARED, Declared, read_declared
from tools.segment.backends._device import torch_device
from tools.segment.backends._nnunet_predict import CHECKPOINT, predictor_class
from tools.segment.backends._totalsegmentator_table import (
    ROBUST,
    ROUGH,
    Chosen,
    Task,
    choose,
    has_weights,
    load_table,
    what_is_missing,
)  # fmt: skip
from tools.segment.backends._weights import digest, installed, not_installed, version_of
from tools.segment.engine import EngineSettings, Job, Offer, Segmented, Tell

EXTRA = "totalsegmentator"
LICENCE = "Apache-2.0"
LICENSED = "a licence of TotalSegmentator's makers"
MAX_SUBSET = 12
"""More wanted classes than this are no reason to look for some only."""
SPLIT_BYTES = 8 << 30
"""Logits that need more than this are made in three parts along the body."""
_BYTES_A_LOGIT = 6
_HEADS_A_PART = 30
_MIN_SLICES = 200
"""TotalSegmentator's own limit: shorter scans are not split."""


class TotalSegmentator:
    """The engine; see the module."""

    name = "totalsegmentator"

    def offers(self, settings: EngineSettings) -> Sequence[Offer]:
        """All tasks of the table, the best resolution that is there of each."""
        weights = weights_folder(settings)
        there = installed("totalsegmentator", "nnunetv2", "torch")
        return [self._offer(task, weights, settings.cache, there) for task in load_table().task]

    def _offer(self, task: Task, weights: Path, cache: Path, there: bool) -> Offer:
        chosen = choose(task, weights)
        variant = chosen.variant
        for_subset = tuple(one for one in (ROUGH, ROBUST) if variant.subset and has_weights(one, weights))[:1]
        needed = (*chosen.datasets, *for_subset)
        missing: str | None = None
        declared, version = Declared(), ""
        if task.licensed:
            missing = f"its weights need {LICENSED}, and TumorTrace doesn't handle those"
        elif not there:
            missing = not_installed(EXTRA)
        elif chosen.missing:
            missing = what_is_missing(chosen, weights)
        else:
            try:
                declared = _declared(chosen, needed, weights)
                version = f"{version_of('TotalSegmentator', 'nnunetv2')}, weights {_digest(needed, weights, cache)}"
            except ToolError as error:
                missing = str(error)
        learned = set(task.class_names() if declared.classes is None else declared.classes)
        options: dict[str, Any] = {
            "weights": str(weights), "call": dict(variant.call), "subset": bool(for_subset),
            "robust": chosen.robust or ROUGH not in for_subset, "pickles": declared.pickles,
            "spacing": None if variant.crops else variant.spacing,
            "heads": _HEADS_A_PART if len(variant.datasets) > 1 else len(task.class_names()) + 1,
        }  # fmt: skip
        return Offer(
            backend=self.name,
            task=variant.name,
            classes=canonical_classes(name for name in task.class_names() if name in learned),
            licence=declared.licence or (LICENSED if task.licensed else LICENCE),
            version=version,
            title=declared.title or task.title,
            phases=declared.phases or task.phases,
            max_slice_mm=declared.max_slice_mm or task.max_slice_mm,
            synthetic_only=declared.synthetic_only,
            rank=task.rank if declared.rank is None else declared.rank,
            missing=missing,
            whole=not for_subset,
            wider=bool(for_subset) or (bool(variant.crops) and not chosen.robust and has_weights(ROBUST, weights)),
            options=options,
        )

    def run(self, job: Job, tell: Tell) -> Segmented:
        """See `Backend.run`."""
        import nibabel as nib  # noqa: PLC0415

        tell("loading TotalSegmentator", 0, 0)
        device = "gpu" if torch_device(job.device).type == "cuda" else "cpu"
        api = _load(job, tell)
        from totalsegmentator.map_to_binary import class_map  # noqa: PLC0415

        image: Any = nib.load(job.scan)
        call: Any = job.options["call"]
        arguments = _arguments(job, image)
        try:
            made = api.totalsegmentator(
                image, None, ml=True, nr_thr_resamp=1, nr_thr_saving=1, quiet=True, device=device, **call, **arguments
            )
        except SystemExit as error:
            raise ToolError("TotalSegmentator ended itself, as it does where a licence is needed") from error
        if made.shape != image.shape or not np.allclose(made.affine, image.affine, atol=1e-3):
            raise ToolError("TotalSegmentator gave a result on another grid than the scan's")
        names = {int(value): str(name) for value, name in class_map[str(call["task"])].items()}
        looked = arguments.get("roi_subset") or arguments.get("roi_subset_robust")
        names = {value: name for value, name in names.items() if looked is None or name in looked}
        labels = np.asarray(made.dataobj).astype(np.uint8)
        named = np.zeros(256, dtype=np.uint8)
        named[list(names)] = list(names)
        return Segmented(labels=named[labels], names=names)


def weights_folder(settings: EngineSettings) -> Path:
    """Where TotalSegmentator looks for weights, unless the settings say otherwise."""
    if settings.totalsegmentator is not None:
        return settings.totalsegmentator
    if given := os.environ.get("TOTALSEG_WEIGHTS_PATH"):
        return Path(given)
    home = os.environ.get("TOTALSEG_HOME_DIR")
    return (Path(home) if home else Path.home() / ".totalsegmentator") / "nnunet" / "results"


def needs_split(shape: Sequence[int], spacing: Sequence[float], target: float, heads: int) -> bool:
    """Whether the logits of a scan would take more memory than `SPLIT_BYTES`.

    Args:
        shape, spacing: voxels and mm along i, j, k.
        target: mm between the voxels that the network sees.
        heads: classes that it tells apart.
    """
    seen = [count * step / target for count, step in zip(shape, spacing, strict=True)]
    return seen[2] > _MIN_SLICES and float(np.prod(seen)) * heads * _BYTES_A_LOGIT > SPLIT_BYTES


def _arguments(job: Job, image: Any) -> dict[str, Any]:
    """How much of the scan is looked at, and in how many parts."""
    if job.options["subset"] and not job.wider and len(job.names) <= MAX_SUBSET:
        return {"roi_subset_robust" if job.options["robust"] else "roi_subset": list(job.names)}
    spacing: Any = job.options["spacing"]
    heads: Any = job.options["heads"]
    if spacing is None:
        return {"robust_crop": bool(job.wider or job.options["robust"])}
    return {"force_split": needs_split(image.shape, image.header.get_zooms(), float(spacing), int(heads))}


def _load(job: Job, tell: Tell) -> Any:
    """Its interface, prepared so that it fetches, reports and deletes nothing, and starts no processes."""
    weights = Path(str(job.options["weights"]))
    os.environ["TOTALSEG_HOME_DIR"] = str(job.out)
    os.environ["TOTALSEG_WEIGHTS_PATH"] = str(weights)
    tempfile.tempdir = str(job.out)
    told: Mapping[str, Any] = {
        "totalseg_id": "tumortrace", "send_usage_stats": False, "prediction_counter": 0,
        "statistics_disclaimer_shown": True,
    }  # fmt: skip
    write_whole(job.out / "config.json", lambda file: file.write(json.dumps(told).encode()))
    from totalsegmentator import python_api  # noqa: PLC0415

    python_api.setup_nnunet()
    from totalsegmentator import nnunet  # noqa: PLC0415  (reads what was set up above)

    def check(dataset: int) -> None:
        # The original fetches what is missing, and deletes folders of former versions.
        if dataset not in load_table().datasets or not has_weights(dataset, weights):
            raise ToolError(f"the weights of data set {dataset} are not in {weights}")

    python_api.download_pretrained_weights = check
    nnunet.nnUNetPredictor = predictor_class(
        tell, pickles=bool(job.options["pickles"]), trainers=nnunet.custom_trainers
    )
    return python_api


def _declared(chosen: Chosen, needed: Sequence[int], weights: Path) -> Declared:
    """What is declared of all weights that a task needs, taken together."""
    found = {one: read_declared(weights / load_table().datasets[one].folder) for one in needed}
    main = [found[one] for one in chosen.variant.datasets]
    classes = [one.classes for one in main if one.classes is not None]
    # One model for a part of the classes limits nothing of the others.
    learned = tuple(name for some in classes for name in some) if len(classes) == len(main) else None
    return main[0].model_copy(
        update={
            "classes": learned,
            "synthetic_only": any(one.synthetic_only for one in found.values()),
            "pickles": any(one.pickles for one in found.values()),
        }
    )


def _digest(datasets: Sequence[int], weights: Path, cache: Path) -> str:
    files: list[Path] = []
    for one in datasets:
        folder = weights / load_table().datasets[one].folder
        files += [path for path in (folder / DECLARED,) if path.is_file()]
        for pattern in ("*/plans.json", "*/dataset.json", f"*/fold_*/{CHECKPOINT}"):
            files += folder.glob(pattern)
    return digest(files, weights, cache)


BACKEND = TotalSegmentator()
