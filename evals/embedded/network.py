"""The network itself, as nnU-Net builds it from a plan."""

from __future__ import annotations

from typing import Any

from evals.embedded.classes import NetworkSpec

ARCHITECTURE = "dynamic_network_architectures.architectures.unet.PlainConvUNet"


def architecture(spec: NetworkSpec) -> dict[str, Any]:
    """Arguments of the network in the form of nnU-Net's plans: classes by import path, as text."""
    stages = len(spec.features)
    return {
        "n_stages": stages,
        "features_per_stage": list(spec.features),
        "conv_op": "torch.nn.modules.conv.Conv3d",
        "kernel_sizes": [[3, 3, 3]] * stages,
        "strides": [[1, 1, 1]] + [[2, 2, 2]] * (stages - 1),
        "n_conv_per_stage": [1] + [2] * (stages - 1),
        "n_conv_per_stage_decoder": [1] * (stages - 1),
        "conv_bias": True,
        "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d",
        "norm_op_kwargs": {"eps": 1e-05, "affine": True},
        "dropout_op": None,
        "dropout_op_kwargs": None,
        "nonlin": "torch.nn.LeakyReLU",
        "nonlin_kwargs": {"inplace": True},
    }


def build(spec: NetworkSpec) -> Any:
    """The untrained network: (n, 1, i, j, k) normalised HU → (n, classes, i, j, k) logits."""
    from dynamic_network_architectures.architectures.unet import PlainConvUNet  # noqa: PLC0415
    from dynamic_network_architectures.building_blocks.helper import convert_conv_op_to_dim  # noqa: F401, PLC0415
    from torch import nn  # noqa: PLC0415

    arguments = architecture(spec)
    arguments |= {"conv_op": nn.Conv3d, "norm_op": nn.InstanceNorm3d, "nonlin": nn.LeakyReLU}
    return PlainConvUNet(input_channels=1, num_classes=len(spec.classes), deep_supervision=False, **arguments)
