"""Running a torch module as an encoder; torch is imported only when one is loaded."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.errors import UsageError


def needed(module: str, package: str | None = None) -> Any:
    """Import a package of the extra for encoders.

    Raises:
        UsageError: it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        name = package or module
        raise UsageError(f"This encoder needs {name}; install it with: pip install 'tumortrace[encoders]'.") from error


def runner(module: Any, layer: str | None = None) -> Callable[[NDArray[np.float32]], NDArray[Any]]:
    """A function that runs a module without gradients, and returns its output or that of one of its layers.

    Args:
        module: a torch module.
        layer: dotted name of the submodule whose output counts; what comes after it is not computed.

    Raises:
        UsageError: there is no such submodule.
    """
    torch = needed("torch")
    module.eval()
    chosen = None
    if layer is not None:
        try:
            chosen = module.get_submodule(layer)
        except AttributeError as error:
            raise UsageError(f"The network has no layer {layer!r}; name one of its submodules.") from error

    def run(array: NDArray[np.float32]) -> NDArray[Any]:
        with torch.inference_mode():
            given = torch.from_numpy(array)
            return _array(module(given) if chosen is None else _until(module, chosen, given))

    return run


class _Reached(Exception):  # noqa: N818 - no error: it ends a pass at the layer that was asked for
    def __init__(self, output: Any) -> None:
        super().__init__()
        self.output = output


def _until(module: Any, layer: Any, given: Any) -> Any:
    """Output of a layer; the pass ends there."""

    def stop(_module: Any, _given: Any, output: Any) -> None:
        raise _Reached(output)

    handle = layer.register_forward_hook(stop)
    try:
        module(given)
    except _Reached as reached:
        return reached.output
    finally:
        handle.remove()
    raise RuntimeError("the layer was not reached")


def _array(output: Any) -> NDArray[Any]:
    """Of several outputs the last one: that of the deepest level."""
    while isinstance(output, (list, tuple)) and output:
        output = output[-1]
    if not hasattr(output, "detach"):
        raise ValueError("the network gives no tensor")
    return np.asarray(output.detach().float().cpu().numpy())
