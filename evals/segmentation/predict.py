"""Masks of a raw scan along the path of every run: child process, catalogue, plausibility, mending."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from agent.engine import Engine
from agent.engines import workshop
from agent.errors import ToolError, UsageError
from agent.models.embedded import EmbeddedReasoner
from agent.report_model import Report
from agent.services import Progress
from agent.settings import Settings
from agent.state import RunState
from evals.segmentation.score import dice
from tools.base import Case
from tools.segment.catalogue import unfit
from tools.segment.workshop import Workshop
from tools.volume import LabelSet, Scan


@dataclass(frozen=True)
class Looked:
    """What a run on a raw scan worked with.

    Attributes:
        labels: the masks that were used; None where nothing looked.
        made: engine → its masks of all that it can see, as it made them; the preferred engine first.
        sees: structures that some engine here can see.
    """

    labels: LabelSet | None
    made: Mapping[str, LabelSet]
    sees: frozenset[str]

    @property
    def refused(self) -> frozenset[str]:
        """Structures that were looked for, and whose masks were all refused or never made."""
        if self.labels is None:
            return frozenset()
        return frozenset(name for name in self.labels.unseen if name in self.sees and name not in self.labels.entries)

    def source(self, structure: str) -> str | None:
        """The engine whose mask of a structure is used: of several, the one that made what is nearest to it."""
        if self.labels is None or structure not in self.labels.entries:
            return None
        used = self.labels.region(self.labels.entries[structure])
        near = {
            engine: 1.0 if (found := dice(used, masks.region(masks.entries[structure]))) is None else found
            for engine, masks in self.made.items()
            if structure in masks.entries
        }
        return max(near, key=lambda engine: near[engine], default=None)

    def passed_over(self, structure: str) -> tuple[str, ...]:
        """Engines whose mask of a structure was refused: all that come before the one that is used."""
        able = [engine for engine, masks in self.made.items() if structure in masks.entries]
        if structure in self.refused:
            return tuple(able)
        source = self.source(structure)
        return tuple(able[: able.index(source)]) if source is not None else ()


def evaluated(settings: Settings, engine: str, progress: Progress) -> Workshop:
    """The engines that are evaluated.

    Raises:
        UsageError: there is no such engine, or none of its tasks can run here.
    """
    found = workshop(settings, engine, progress)
    if found is None:
        raise UsageError("--engine none looks at nothing; give auto or the name of a segmentation engine.")
    if all(one.missing is not None for one in found.offers()):
        raise UsageError(f"--engine {engine} has no task that can run here; `tumortrace doctor` tells what is missing.")
    return found


def everything(scan: Scan, engines: Workshop) -> tuple[dict[str, LabelSet], frozenset[str]]:
    """Masks of all that every engine can see, as it makes them, and the names of all that.

    An engine that fails has no masks: the run meets the same failure, and tells it.
    """
    made: dict[str, LabelSet] = {}
    sees: set[str] = set()
    for offer in engines.offers():
        if offer.missing is not None or unfit(offer, scan, scan.header.phase_text) is not None:
            continue
        sees |= set(offer.classes)
        with suppress(ToolError):
            made[offer.id] = engines.masks(scan, offer, tuple(offer.classes))[1]
    return made, frozenset(sees)


class Reader:
    """Runs on one raw scan.

    Args:
        raw: the scan, without labels.
        workshop: the engines; None for a case with labels of its own.
        settings: settings; runs are removed once they are read.
    """

    def __init__(self, raw: Case, workshop: Workshop | None, settings: Settings) -> None:
        self._case = raw
        self._workshop = workshop
        self._out = settings.home / "run"
        self._engine = Engine(settings, EmbeddedReasoner(), workshop=workshop, look_everywhere=workshop is not None)

    def ask(self, question: str | None, options: tuple[str, ...] = ()) -> tuple[Report, RunState]:
        """Ask a question, or report on everything where it is None."""
        shutil.rmtree(self._out, ignore_errors=True)
        try:
            return self._engine.ask(self._case, question, options=options, out=self._out)
        finally:
            shutil.rmtree(self._out, ignore_errors=True)

    def used(self, state: RunState) -> LabelSet | None:
        """The masks that a run worked with; None where nothing looked."""
        if self._workshop is None or state.labels is None:
            return self._case.labels
        return self._workshop.labels(state.labels, self._case.scan.grid)


def settings_in(folder: Path) -> Settings:
    """Settings whose runs and caches all lie in a folder."""
    return Settings(home=folder / "runs", cache=folder / "cache")
