"""Engines at work for a case: what the segmenting tool needs besides the scan, and its masks by content address."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from agent.errors import ToolError
from tools.array_store import ArrayStore
from tools.kept_labels import keep_labels, kept_labels
from tools.segment.backends import load_backends
from tools.segment.catalogue import NOT_READY, all_offers
from tools.segment.engine import EngineSettings, Offer, Segmented, Tell
from tools.segment.isolate import Check, go_on, run_isolated, turn
from tools.types import content_hash
from tools.volume import Grid, LabelSet, Scan

_VERSION = 3
"""Raised whenever the masks for the same input may change by what is done here."""


@dataclass(frozen=True)
class Workshop:
    """What engines work with.

    Attributes:
        settings: where engines and weights are, and what one run may take.
        arrays: where masks are kept.
        tell: told of an engine's progress.
        engines: names of the engines that may be used; all where None.
        check: called again and again while an engine runs or is waited for; what it raises ends that.
    """

    settings: EngineSettings
    arrays: ArrayStore
    tell: Tell = lambda what, finished, planned: None
    engines: tuple[str, ...] | None = None
    check: Check = go_on

    def offers(self) -> tuple[Offer, ...]:
        """The tasks of all engines that may be used, the preferred ones first; looked up once."""
        return self._offers

    @cached_property
    def _offers(self) -> tuple[Offer, ...]:
        return all_offers(self.settings, self.engines)

    def offer(self, backend: str, task: str) -> Offer:
        """One task.

        Raises:
            ToolError: it is not there (any more).
        """
        for one in self.offers():
            if (one.backend, one.task) == (backend, task):
                if one.missing is not None:
                    raise ToolError(f"{one.title} {NOT_READY}")
                return one
        raise ToolError(f"there is no segmenter {backend}/{task}")

    def masks(
        self, scan: Scan, offer: Offer, structures: Sequence[str], *, wider: bool = False
    ) -> tuple[str, LabelSet]:
        """Masks of structures, from the store or by letting the engine look.

        Returns:
            Their content address, and the masks on the scan's grid.

        Raises:
            ToolError: the engine failed, or its weights were changed since they were looked up.
        """
        wanted = tuple(sorted(structures))
        key = content_hash(["masks", _VERSION, scan.digest, offer.id, offer.version, list(wanted), wider])
        known = self.labels(key, scan.grid)
        if known is not None:
            return key, known
        with turn(self.settings, offer, self.tell, self.check):
            # Whoever had the turn before may have looked at the same scan.
            known = self.labels(key, scan.grid)
            if known is not None:
                return key, known
            made = run_isolated(offer, scan, wanted, self.settings, self.tell, wider=wider, check=self.check)
            self._check_version(offer)
            labels = label_set(made, offer, wanted, scan)
            self.keep(key, labels)
        return key, labels

    def _check_version(self, offer: Offer) -> None:
        """Offers are looked up once, and their files may have changed since: masks must not be kept as those of others.

        Raises:
            ToolError: they have.
        """
        there = load_backends()[offer.backend].offers(self.settings)
        if not any((one.task, one.version) == (offer.task, offer.version) for one in there):
            raise ToolError(f"the weights of {offer.title} were changed since they were looked up: start anew")

    def keep(self, key: str, labels: LabelSet) -> None:
        """Store masks under a content address."""
        keep_labels(self.arrays, key, labels)

    def labels(self, key: str, grid: Grid) -> LabelSet | None:
        """Masks by their content address; None where they are not there or damaged."""
        return kept_labels(self.arrays, key, grid)


def label_set(made: Segmented, offer: Offer, structures: Sequence[str], scan: Scan) -> LabelSet:
    """What an engine made, under canonical names; a class that it does not name was not looked for, and is unseen."""
    values: dict[str, list[int]] = {}
    for value, name in made.names.items():
        values.setdefault(name, []).append(value)
    layer = made.labels if made.labels.dtype in {np.dtype(np.uint8), np.dtype(np.uint16)} else None
    if layer is None:
        raise ToolError(f"{offer.title} gave labels of the type {made.labels.dtype}")
    entries: dict[str, tuple[tuple[int, int], ...]] = {}
    raw: dict[tuple[int, int], str] = {}
    unseen: dict[str, str] = {}
    for ident in structures:
        keys = tuple((0, value) for name in offer.classes[ident] for value in values.get(name, ()))
        if keys:
            entries[ident] = keys
            raw |= {key: made.names[key[1]] for key in keys}
        else:
            unseen[ident] = f"{offer.title} did not look for it"
    return LabelSet(
        grid=scan.grid, layers=(layer,), entries=entries, raw_names=raw, source=f"masks by {offer.title}",
        unseen=unseen, estimated=frozenset(entries),
    )  # fmt: skip


def without(labels: LabelSet, reasons: Mapping[str, str]) -> LabelSet:
    """Labels without some structures, which count as unseen for the reasons given."""
    entries = {name: keys for name, keys in labels.entries.items() if name not in reasons}
    return replace(labels, entries=entries, unseen={**labels.unseen, **reasons})
