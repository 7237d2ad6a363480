"""nnU-Net's predictor as it is needed here: in one process, weights as data, progress, and little memory.

nnU-Net 2.8 starts worker processes, loads checkpoints as code, imports all of its trainers to find one, and holds the
logits of all classes on the scan's grid at once. None of this is needed for one scan.
"""

from __future__ import annotations

import importlib
import re
import warnings
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.errors import ToolError
from tools.segment.backends._weights import read_json
from tools.segment.engine import Tell

CHECKPOINT = "checkpoint_final.pth"


def find_folds(folder: Path) -> tuple[str, ...]:
    """Names of the folds that a model folder holds; the one of all cases only where there is no other."""
    there = sorted(one.parent.name.removeprefix("fold_") for one in folder.glob(f"fold_*/{CHECKPOINT}"))
    return tuple(one for one in there if one != "all") or tuple(there)


def predictor_class(tell: Tell, *, pickles: bool, trainers: Mapping[str, Any] | None = None) -> Any:
    """nnU-Net's predictor with those changes; imports nnU-Net.

    Args:
        tell: told of every patch.
        pickles: whether checkpoints that hold more than weights may be loaded.
        trainers: trainers by name that are not among nnU-Net's own.
    """
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor  # noqa: PLC0415

    class Predictor(nnUNetPredictor):  # type: ignore[misc]  # untyped library
        patches = 0
        planned = 0

        def initialize_from_trained_model_folder(
            self, model_training_output_dir: str, use_folds: Any, checkpoint_name: str = CHECKPOINT
        ) -> None:
            folder = Path(model_training_output_dir)
            folds = find_folds(folder) if use_folds is None else tuple(str(one) for one in use_folds)
            _initialize(
                self, folder, [folder / f"fold_{one}" / checkpoint_name for one in folds], pickles, trainers or {}
            )

        def predict_from_files(self, *given: Any, **named: Any) -> Any:
            kept = {"save_probabilities", "overwrite", "folder_with_segs_from_prev_stage"}
            return self.predict_from_files_sequential(*given, **{k: v for k, v in named.items() if k in kept})

        def _internal_get_sliding_window_slicers(self, image_size: tuple[int, ...]) -> Any:
            slicers = super()._internal_get_sliding_window_slicers(image_size)
            self.patches, self.planned = 0, len(slicers)
            return slicers

        def _internal_maybe_mirror_and_predict(self, x: Any) -> Any:
            made = super()._internal_maybe_mirror_and_predict(x)
            self.patches += 1
            tell("patches", self.patches, self.planned)
            return made

    return Predictor


def _initialize(
    predictor: Any, folder: Path, checkpoints: list[Path], pickles: bool, trainers: Mapping[str, Any]
) -> None:
    from nnunetv2.utilities.label_handling.label_handling import determine_num_input_channels  # noqa: PLC0415
    from nnunetv2.utilities.plans_handling.plans_handler import PlansManager  # noqa: PLC0415

    if not checkpoints:
        raise ToolError(f"{folder} holds no fold_*/{CHECKPOINT}")
    dataset: Any = read_json(folder / "dataset.json")
    plans = PlansManager(read_json(folder / "plans.json"))
    loaded = [load_checkpoint(path, pickles=pickles) for path in checkpoints]
    try:
        first, weights = loaded[0], [one["network_weights"] for one in loaded]
        configuration = plans.get_configuration(first["init_args"]["configuration"])
        heads = plans.get_label_manager(dataset).num_segmentation_heads
        channels = determine_num_input_channels(plans, configuration, dataset)
        name = str(first["trainer_name"])
        trainer = trainers[name] if name in trainers else find_trainer(name)
        network = _network(trainer, plans, configuration, channels, heads)
        network.load_state_dict(weights[0])
    except (KeyError, TypeError, RuntimeError, AttributeError) as error:
        raise ToolError(f"the checkpoint and the plans in {folder} do not fit ({type(error).__name__})") from error
    predictor.manual_initialization(
        network, plans, configuration, weights, dataset, name, first.get("inference_allowed_mirroring_axes")
    )  # fmt: skip


def _network(trainer: Any, plans: Any, configuration: Any, channels: int, heads: int) -> Any:
    build: Callable[..., Any] = trainer.build_network_architecture
    if "plans_manager" in build.__code__.co_varnames[: build.__code__.co_argcount]:
        return build(plans, configuration, channels, heads, enable_deep_supervision=False)
    return build(
        configuration.network_arch_class_name, configuration.network_arch_init_kwargs,
        configuration.network_arch_init_kwargs_req_import, channels, heads, enable_deep_supervision=False,
    )  # fmt: skip


def load_checkpoint(path: Path, *, pickles: bool) -> dict[str, Any]:
    """A checkpoint as data: tensors, numbers and text.

    Raises:
        ToolError: it is broken, or holds more than that while `pickles` is false, as one clause.
    """
    import torch  # noqa: PLC0415

    try:
        with _numbers_allowed(torch), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = torch.load(path, map_location="cpu", weights_only=not pickles)
    except UnpicklingError as error:
        if "Unsupported" in str(error) or "weights_only" in str(error).lower():
            raise ToolError(
                f"{path} is broken or holds more than weights, and that is not loaded unless a tumortrace.toml in its "
                "folder says 'pickles = true', which runs code from it"
            ) from error
        raise ToolError(f"{path} is no checkpoint, or broken") from error
    except (OSError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise ToolError(f"{path} is no checkpoint, or broken") from error
    if not isinstance(found, dict):
        raise ToolError(f"{path} is no checkpoint of nnU-Net")
    return found


def _numbers_allowed(torch: Any) -> AbstractContextManager[Any]:
    """nnU-Net's training log holds numpy numbers; both names of numpy's module for them are allowed."""
    scalar = np.float64(0).__reduce__()[0]
    kinds = [type(np.dtype(one)) for one in ("float64", "float32", "int64", "int32", "bool")]
    allowed: list[Any] = [np.dtype, (scalar, "numpy.core.multiarray.scalar"), scalar, *kinds]
    context: AbstractContextManager[Any] = torch.serialization.safe_globals(allowed)
    return context


def find_trainer(name: str) -> Any:
    """nnU-Net's trainer of a name, from the one file that defines it.

    nnU-Net imports all trainers one after another, among them those that need torchvision.

    Raises:
        ToolError: there is none.
    """
    import nnunetv2  # noqa: PLC0415

    folder = Path(nnunetv2.__path__[0]) / "training" / "nnUNetTrainer"
    pattern = re.compile(rf"^class {re.escape(name)}\b", re.MULTILINE)
    for path in sorted(folder.rglob("*.py")):
        if pattern.search(path.read_text(encoding="utf-8")):
            module = ".".join(path.relative_to(folder).with_suffix("").parts)
            return getattr(importlib.import_module(f"nnunetv2.training.nnUNetTrainer.{module}"), name)
    raise ToolError(f"this nnU-Net has no trainer {name}")


def predict(predictor: Any, hu: NDArray[Any], spacing: tuple[float, float, float]) -> NDArray[Any]:
    """Labels of one scan, class by class, so that two volumes are held and not one per class.

    Args:
        predictor: an initialised predictor.
        hu: (z, y, x) HU.
        spacing: mm along z, y, x.

    Returns:
        (z, y, x) label values on the same grid.
    """
    from torch import from_numpy  # noqa: PLC0415

    plans, configuration, labels = predictor.plans_manager, predictor.configuration_manager, predictor.label_manager
    preprocessor = configuration.preprocessor_class(verbose=False)
    data, _, properties = preprocessor.run_case_npy(
        hu[None], None, {"spacing": list(spacing)}, plans, configuration, predictor.dataset_json
    )
    logits = predictor.predict_logits_from_preprocessed_data(from_numpy(np.ascontiguousarray(data)))
    cropped = properties["shape_after_cropping_and_before_resampling"]
    original = [spacing[axis] for axis in plans.transpose_forward]
    current = (
        configuration.spacing if len(configuration.spacing) == len(cropped) else [original[0], *configuration.spacing]
    )

    def channel(index: int) -> NDArray[np.float32]:
        one = configuration.resampling_fn_probabilities(logits[index : index + 1].float(), cropped, current, original)
        return np.asarray(one[0], dtype=np.float32)

    kind = np.uint8 if max(labels.all_labels) < 256 else np.uint16
    made = _regions(channel, labels, kind) if labels.has_regions else _argmax(channel, len(logits), kind)
    whole = np.zeros(properties["shape_before_cropping"], dtype=kind)
    whole[tuple(slice(low, high) for low, high in properties["bbox_used_for_cropping"])] = made
    return np.ascontiguousarray(whole.transpose(plans.transpose_backward))


def _argmax(channel: Callable[[int], NDArray[np.float32]], count: int, kind: Any) -> NDArray[Any]:
    best = channel(0)
    made = np.zeros(best.shape, dtype=kind)
    for index in range(1, count):
        one = channel(index)
        better = one > best
        np.copyto(best, one, where=better)
        made[better] = index
    return made


def _regions(channel: Callable[[int], NDArray[np.float32]], labels: Any, kind: Any) -> NDArray[Any]:
    # A region is there where the sigmoid of its logit is above a half; later ones are painted over earlier ones.
    made: NDArray[Any] | None = None
    for index, value in enumerate(labels.regions_class_order):
        one = channel(index) > 0
        made = np.zeros(one.shape, dtype=kind) if made is None else made
        made[one] = value
    if made is None:
        raise ToolError("the model has no region")
    return made
