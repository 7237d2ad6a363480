"""From trained weights to what comes with the program: ONNX in half precision, with a record beside it.

    python -m evals.embedded.export organs --weights organs.pt --out tools/segment/embedded

The parameters keep the names that they have in PyTorch, so that the same file also makes a checkpoint of nnU-Net, of
TotalSegmentator's layout or of a MONAI bundle (`state_dict_of`).
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evals.embedded.classes import NETWORKS, NetworkSpec
from evals.embedded.network import build
from retrieval.files import write_whole
from tools.segment.backends.embedded import INPUT, OUTPUT

_HALF, _FULL = 10, 1  # onnx.TensorProto.FLOAT16 and FLOAT


def export(spec: NetworkSpec, weights: Path, out: Path, about: dict[str, Any]) -> None:
    """Write `<name>.onnx` and `<name>.json`.

    Args:
        spec: the network.
        weights: its state dict.
        out: folder.
        about: what else the record tells: how it was trained, how it scored.
    """
    import torch  # noqa: PLC0415

    network = build(spec)
    network.load_state_dict(torch.load(weights, weights_only=True))
    network.eval()
    data = in_half(_onnx(network, spec))
    record = {
        "network": spec.name,
        "spacing": spec.spacing,
        "patch": list(spec.patch),
        "window": list(spec.window),
        "scale": spec.scale,
        "features": list(spec.features),
        "classes": list(spec.classes),
        "covers": list(spec.covers),
        "sided": list(spec.sided),
        "phases": [one.value for one in spec.phases],
        "parameters": sum(one.numel() for one in network.parameters()),
        "sha256": hashlib.sha256(data).hexdigest(),
        **about,
    }
    out.mkdir(parents=True, exist_ok=True)
    write_whole(out / f"{spec.name}.onnx", lambda file: file.write(data))
    text = json.dumps(record, indent=1) + "\n"
    write_whole(out / f"{spec.name}.json", lambda file: file.write(text.encode()))


def _onnx(network: Any, spec: NetworkSpec) -> bytes:
    import torch  # noqa: PLC0415

    target = io.BytesIO()
    axes = {2: "i", 3: "j", 4: "k"}
    torch.onnx.export(
        network, (torch.zeros(1, 1, *spec.patch),), target, input_names=[INPUT], output_names=[OUTPUT],
        dynamic_axes={INPUT: axes, OUTPUT: axes}, opset_version=17, dynamo=False, do_constant_folding=False,
    )  # fmt: skip
    return target.getvalue()


def in_half(data: bytes) -> bytes:
    """The same network with its weights in half precision, each cast back where it is used: half the size."""
    import onnx  # noqa: PLC0415
    from onnx import helper, numpy_helper  # noqa: PLC0415

    model = onnx.load_from_string(data)
    casts = []
    for one in list(model.graph.initializer):
        values = numpy_helper.to_array(one)
        if values.dtype == np.float32:
            half = numpy_helper.from_array(values.astype(np.float16), f"{one.name}.half")
            casts.append(helper.make_node("Cast", [half.name], [one.name], to=_FULL))
            model.graph.initializer.remove(one)
            model.graph.initializer.append(half)
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.checker.check_model(model)
    found: bytes = model.SerializeToString()
    return found


def state_dict_of(path: Path) -> dict[str, NDArray[np.float32]]:
    """Parameters by their names in PyTorch, from a file that `export` wrote."""
    import onnx  # noqa: PLC0415
    from onnx import numpy_helper  # noqa: PLC0415

    model = onnx.load(path)
    return {
        one.name.removesuffix(".half"): numpy_helper.to_array(one).astype(np.float32)
        for one in model.graph.initializer
        if one.name.endswith(".half")
    }


def restored(spec: NetworkSpec, path: Path) -> dict[str, Any]:
    """The whole state dict of a network from a file that `export` wrote, in half precision's accuracy.

    The network holds its modules under several names, and heads that it does not use; the file has each once, and none
    of these.

    Raises:
        ValueError: the file is not of this network.
    """
    import torch  # noqa: PLC0415

    network = build(spec)
    weights = {name: torch.from_numpy(values) for name, values in state_dict_of(path).items()}
    told = network.load_state_dict(weights, strict=False)
    own = {name for name, _ in network.named_parameters()}
    missing = {name for name in told.missing_keys if name in own and not name.startswith("decoder.seg_layers")}
    if told.unexpected_keys or missing:
        raise ValueError(f"{path.name} holds no {spec.name} network")
    found: dict[str, Any] = network.state_dict()
    return found


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("network", choices=sorted(NETWORKS))
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    course = (
        json.loads(given.weights.with_suffix(".json").read_text("utf-8"))
        if given.weights.with_suffix(".json").exists()
        else {}
    )
    export(NETWORKS[given.network], given.weights, given.out, {"training": course})


if __name__ == "__main__":
    main()
