"""Segmentation as a tool: an engine looks at the scan, and what it saw is held by content address."""

from __future__ import annotations

from agent.errors import ToolError
from tools.base import Case, Maker, tool
from tools.segment.catalogue import unfit
from tools.structure_parts import filled
from tools.types import Evidence, State


@tool(
    version="1",
    reads=("scan",),
    says={
        "segmentation": {
            "measured": "{value} looked at the scan.",
            "not_assessed": "The scan was not segmented: {reason}.",
        },
        "failure": {"not_assessed": "The scan was not segmented: {reason}."},
    },
)
def segment(
    case: Case, make: Maker, *, backend: str, task: str, version: str, structures: list[str], wider: bool = False
) -> list[Evidence]:
    """Let a segmentation engine look for structures; its masks are kept by content address.

    Args:
        backend: name of the engine.
        task: its task.
        version: version of its weights, which the result depends on.
        structures: canonical ids of the classes that are wanted.
        wider: with a larger region of interest.

    Raises:
        ToolError: the engine is not there, is not valid for this scan, or failed.
    """
    if case.workshop is None:
        raise ToolError("no segmentation engine was given to this run")
    offer = case.workshop.offer(backend, task)
    if offer.version != version:
        raise ToolError(f"the weights of {offer.title} are not those that were planned with")
    why = unfit(offer, case.scan, case.told_phase)
    if why is not None:
        raise ToolError(f"{offer.title} {why}")
    unknown = sorted(set(structures) - set(offer.classes))
    if unknown:
        raise ToolError(f"{offer.title} cannot see {', '.join(unknown)}")
    key, labels = case.workshop.masks(case.scan, offer, structures, wider=wider)
    shown = sorted(name for name in labels.entries if filled(labels, name))
    return [
        make(
            "segmentation", "scan", state=State.MEASURED, value=offer.title, method="masks by a segmentation engine",
            details={
                "engine": offer.id, "version": offer.version, "licence": offer.licence, "masks": key,
                "shown": [*shown], "empty": sorted(set(labels.entries) - set(shown)),
                "synthetic_only": offer.synthetic_only,
            },
        )
    ]  # fmt: skip
