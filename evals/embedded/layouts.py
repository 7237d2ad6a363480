"""Writes an embedded network in the layouts of real engines, so that their own code runs it.

    python -m evals.embedded.layouts totalsegmentator|nnunet|bundle --weights FILE --out FOLDER

All of them declare that they are valid for synthetic scans only.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evals.embedded.classes import ABDOMEN, NETWORKS, ORGANS, NetworkSpec
from evals.embedded.export import restored
from evals.embedded.network import ARCHITECTURE, architecture
from tools.segment.class_maps import load_class_map

LICENCE = "Apache-2.0"
UNUSED = -60.0
"""Logit of classes that the network does not know; nnU-Net sums logits in half precision, which -1e4 would overflow."""
HEADS = "decoder.seg_layers."
DATASETS = {
    3.0: "Dataset297_TotalSegmentator_total_3mm_1559subj",
    6.0: "Dataset298_TotalSegmentator_total_6mm_1559subj",
}
"""Folder of TotalSegmentator's fast models by mm between the voxels that they see."""
TRAINER = "nnUNetTrainer_4000epochs_NoMirroring"
CONFIGURATION = "3d_fullres"
Weights = Mapping[str, Any]


def write_totalsegmentator(spec: NetworkSpec, weights: Weights, out: Path) -> Path:
    """Weights for TotalSegmentator's task `total` at the network's resolution.

    Classes stand at TotalSegmentator's own values; those that it doesn't know (whole lungs) come after its last one,
    where nobody asks for them.

    Returns:
        The folder of the data set.
    """
    own = {name: value for value, name in load_class_map("total").rows}
    more = [name for name in spec.classes[1:] if name not in own]
    values = {"background": 0, **own, **{name: len(own) + 1 + index for index, name in enumerate(more)}}
    folder = out / DATASETS[spec.spacing]
    placed = {index: values[name] for index, name in enumerate(spec.classes)}
    _write_model(spec, place_heads(weights, placed, len(values)), values, folder / _model(TRAINER), TRAINER)
    _declare(folder, "the embedded organs in TotalSegmentator's layout", [n for n in spec.classes[1:] if n in own])
    return folder


def write_nnunet(spec: NetworkSpec, weights: Weights, out: Path) -> Path:
    """A model folder of nnU-Net.

    Returns:
        The folder that the settings name.
    """
    folder = out / f"Dataset001_{spec.name}" / _model("nnUNetTrainer")
    values = {name: index for index, name in enumerate(spec.classes)}
    _write_model(spec, weights, values, folder, "nnUNetTrainer")
    _declare(folder, f"the embedded {spec.name} in nnU-Net's layout", None)
    return folder


def write_bundle(spec: NetworkSpec, weights: Weights, out: Path) -> Path:
    """A MONAI bundle.

    Returns:
        The folder that the settings name.
    """
    import torch  # noqa: PLC0415

    folder = out / f"embedded_{spec.name}"
    (folder / "models").mkdir(parents=True, exist_ok=True)
    (folder / "configs").mkdir(exist_ok=True)
    torch.save(dict(weights), folder / "models" / "model.pt")
    _write_json(folder / "configs" / "metadata.json", bundle_metadata(spec))
    _write_json(folder / "configs" / "inference.json", bundle_config(spec))
    _declare(folder, f"the embedded {spec.name} as a MONAI bundle", None)
    return folder


def place_heads(weights: Weights, placed: Mapping[int, int], heads: int) -> dict[str, Any]:
    """Weights of the same network with more classes.

    Args:
        weights: state of the network.
        placed: class index → index among more classes.
        heads: how many classes there are then; those that nothing is placed at never win.
    """
    import torch  # noqa: PLC0415

    made: dict[str, Any] = dict(weights)
    old, new = list(placed), list(placed.values())
    for name, tensor in weights.items():
        if name.startswith(HEADS):
            fill = UNUSED if name.endswith("bias") else 0.0
            made[name] = torch.full((heads, *tensor.shape[1:]), fill, dtype=tensor.dtype)
            made[name][new] = tensor[old]
    return made


def plans(spec: NetworkSpec, dataset: str) -> dict[str, Any]:
    """nnU-Net's plans: input as the network has learned it, (clip(HU, window) - low) / scale, axes i, j, k."""
    low, high = spec.window
    linear = {"is_seg": False, "order": 1, "order_z": 0, "force_separate_z": False}
    return {
        "dataset_name": dataset, "plans_name": "nnUNetPlans", "image_reader_writer": "SimpleITKIO",
        "original_median_spacing_after_transp": [spec.spacing] * 3,
        "original_median_shape_after_transp": list(spec.patch),
        # Files are read as z, y, x.
        "transpose_forward": [2, 1, 0], "transpose_backward": [2, 1, 0],
        "configurations": {
            CONFIGURATION: {
                "data_identifier": "embedded", "preprocessor_name": "DefaultPreprocessor", "batch_size": 2,
                "patch_size": list(spec.patch), "median_image_size_in_voxels": list(spec.patch),
                "spacing": [spec.spacing] * 3,
                "normalization_schemes": ["CTNormalization"], "use_mask_for_norm": [False],
                "resampling_fn_data": "resample_data_or_seg_to_shape",
                "resampling_fn_seg": "resample_data_or_seg_to_shape",
                "resampling_fn_probabilities": "resample_data_or_seg_to_shape",
                "resampling_fn_data_kwargs": linear,
                "resampling_fn_seg_kwargs": {**linear, "is_seg": True},
                "resampling_fn_probabilities_kwargs": linear,
                "architecture": {
                    "network_class_name": ARCHITECTURE, "arch_kwargs": architecture(spec),
                    "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
                },
                "batch_dice": False,
            }
        },
        "experiment_planner_used": "none", "label_manager": "LabelManager",
        "foreground_intensity_properties_per_channel": {
            "0": {
                "percentile_00_5": low, "percentile_99_5": high, "mean": low, "std": spec.scale,
                "min": low, "max": high, "median": (low + high) / 2,
            }
        },
    }  # fmt: skip


def bundle_metadata(spec: NetworkSpec) -> dict[str, Any]:
    """A bundle's metadata.json."""
    return {
        "version": "0.1.0", "license": LICENCE, "task": f"embedded {spec.name}", "authors": "TumorTrace",
        "description": "A small network that was trained on synthetic scans, for synthetic scans only",
        "network_data_format": {
            "inputs": {
                "image": {
                    "type": "image", "format": "hounsfield", "modality": "CT", "num_channels": 1, "dtype": "float32",
                    "spatial_shape": list(spec.patch), "is_patch_data": True, "channel_def": {"0": "image"},
                    "value_range": [0, (spec.window[1] - spec.window[0]) / spec.scale],
                }
            },
            "outputs": {
                "pred": {
                    "type": "image", "format": "segmentation", "num_channels": len(spec.classes), "dtype": "float32",
                    "spatial_shape": list(spec.patch), "value_range": [0, 1], "is_patch_data": True,
                    "channel_def": {str(index): name for index, name in enumerate(spec.classes)},
                }
            },
        },
    }  # fmt: skip


def bundle_config(spec: NetworkSpec) -> dict[str, Any]:
    """A bundle's inference.json, with the keys that bundles of the model zoo have."""
    low, high = spec.window
    keyword = {name: f"${value}" if isinstance(value, str) else value for name, value in architecture(spec).items()}
    return {
        # The helper comes first: importing the network alone is a circular import in its package.
        "imports": [
            "$import glob", "$import numpy", "$import torch",
            "$import dynamic_network_architectures.building_blocks.helper",
        ],
        "bundle_root": ".", "dataset_dir": ".", "output_dir": "eval", "output_ext": ".nii.gz",
        "datalist": "$list(sorted(glob.glob(@dataset_dir + '/*.nii.gz')))",
        "device": "$torch.device('cuda' if torch.cuda.is_available() else 'cpu')",
        "network_def": {
            "_target_": ARCHITECTURE, "input_channels": 1, "num_classes": len(spec.classes), "deep_supervision": False,
            **keyword,
        },
        "network": "$@network_def.to(@device)",
        "preprocessing": {
            "_target_": "Compose",
            "transforms": [
                {"_target_": "LoadImaged", "keys": "image"},
                {"_target_": "EnsureChannelFirstd", "keys": "image"},
                {"_target_": "Orientationd", "keys": "image", "axcodes": "RAS"},
                {"_target_": "Spacingd", "keys": "image", "pixdim": [spec.spacing] * 3, "mode": "bilinear"},
                {
                    "_target_": "ScaleIntensityRanged", "keys": "image", "a_min": low, "a_max": high, "b_min": 0.0,
                    "b_max": (high - low) / spec.scale, "clip": True,
                },
                {"_target_": "EnsureTyped", "keys": "image"},
            ],
        },
        "dataset": {
            "_target_": "Dataset", "data": "$[{'image': one} for one in @datalist]", "transform": "@preprocessing",
        },
        "dataloader": {"_target_": "DataLoader", "dataset": "@dataset", "batch_size": 1, "num_workers": 0},
        "inferer": {
            "_target_": "SlidingWindowInferer", "roi_size": list(spec.patch), "sw_batch_size": 1, "overlap": 0.5,
            "mode": "gaussian",
        },
        "postprocessing": {
            "_target_": "Compose",
            "transforms": [
                {
                    "_target_": "Invertd", "keys": "pred", "transform": "@preprocessing", "orig_keys": "image",
                    "nearest_interp": False, "to_tensor": True,
                },
                {"_target_": "AsDiscreted", "keys": "pred", "argmax": True},
                {
                    "_target_": "SaveImaged", "keys": "pred", "output_dir": "@output_dir", "output_ext": "@output_ext",
                    "output_dtype": "$numpy.uint8", "resample": False,
                },
            ],
        },
        "evaluator": {
            "_target_": "SupervisedEvaluator", "device": "@device", "val_data_loader": "@dataloader",
            "network": "@network", "inferer": "@inferer", "postprocessing": "@postprocessing",
        },
        "initialize": [
            "$@network.load_state_dict("
            "torch.load(@bundle_root + '/models/model.pt', map_location=@device, weights_only=True))"
        ],
        "run": ["$@evaluator.run()"],
    }  # fmt: skip


def load_weights(path: Path, spec: NetworkSpec) -> dict[str, Any]:
    """State of a network from a file of tensors, or from what comes with the program (ONNX)."""
    import torch  # noqa: PLC0415

    if path.suffix == ".onnx":
        return restored(spec, path)
    found: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return found


def _model(trainer: str) -> str:
    return f"{trainer}__nnUNetPlans__{CONFIGURATION}"


def _write_model(spec: NetworkSpec, weights: Weights, values: Mapping[str, int], folder: Path, trainer: str) -> None:
    import torch  # noqa: PLC0415

    (folder / "fold_0").mkdir(parents=True, exist_ok=True)
    described = {"channel_names": {"0": "CT"}, "labels": dict(values), "numTraining": 1, "file_ending": ".nii.gz"}
    _write_json(folder / "dataset.json", described)
    _write_json(folder / "plans.json", plans(spec, folder.parent.name))
    torch.save(
        {
            "network_weights": dict(weights), "trainer_name": trainer,
            "init_args": {"configuration": CONFIGURATION}, "inference_allowed_mirroring_axes": None,
        },
        folder / "fold_0" / "checkpoint_final.pth",
    )  # fmt: skip


def _declare(folder: Path, title: str, classes: list[str] | None) -> None:
    lines = [f'title = "{title}"', f'licence = "{LICENCE}"', "synthetic_only = true"]
    if classes is not None:
        lines.append(f"classes = {json.dumps(classes)}")
    (folder / "tumortrace.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    """Command line."""
    kinds = {"totalsegmentator": write_totalsegmentator, "nnunet": write_nnunet, "bundle": write_bundle}
    usual = {"totalsegmentator": ORGANS, "nnunet": ABDOMEN, "bundle": ABDOMEN}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("layout", choices=sorted(kinds))
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--network", choices=sorted(NETWORKS), help="whose weights these are")
    given = parser.parse_args()
    spec = NETWORKS[given.network] if given.network else usual[given.layout]
    made = kinds[given.layout](spec, load_weights(given.weights, spec), given.out)
    sys.stdout.write(f"{made}\n")


if __name__ == "__main__":
    main()
