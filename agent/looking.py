"""Looking: segmentation engines see what the question needs and the labels lack, before anything is measured.

    queries → structures that their evidence chains name, with organs and neighbours
            → tasks of engines (the catalogue) → masks → checked, mended, or looked for again by another engine

What no engine could see, or none saw plausibly, is held with its reason: it counts as not assessed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from langgraph.runtime import Runtime

from agent.errors import IntegrityError, UsageError
from agent.executor import run_task
from agent.services import Services
from agent.state import FAILURE, RunState, Task
from agent.trace_schema import Kind
from agent.wanted import opened, wanted
from tools.array_store import ArrayStore
from tools.base import Case
from tools.kept_labels import address, keep_labels, kept_labels
from tools.ontology import load_ontology
from tools.segment.catalogue import choose, classes_for, neighbours, unfit
from tools.segment.engine import Offer
from tools.segment.merge import merge_labels
from tools.segment.plausible_flag import Flag
from tools.segment.settled import Settled, settle_masks, told
from tools.segment.workshop import Workshop, without
from tools.types import Evidence
from tools.volume import LabelSet

_WRONG: Mapping[str, str] = {
    "empty": "it is empty, and its neighbours are in the scan", "clipped_by_roi": "it ends at a flat face",
    "duplicated_side": "left and right are one", "swapped_sides": "it lies on the other side of the body",
    "volume": "its volume is impossible", "hu": "it lies in another tissue",
    "position": "it lies elsewhere in the body",
    "fragments": "it is in pieces", "outside_body": "it lies outside of the body", "overlap": "it covers another organ",
}  # fmt: skip
MOST_TRIES = 4
"""Times that engines are chosen anew after one failed or gave masks that cannot be right."""


def look_for(state: RunState, runtime: Runtime[Services]) -> dict[str, Any]:
    """Let engines look for what the question needs; the case has their masks from here on."""
    services = runtime.context
    workshop = services.case.workshop
    if workshop is None or services.outside is not None:
        return {}
    needed = wanted(state, services, workshop) if state.round == 0 else opened(state, services.case)
    known = services.case.labels.entries if services.case.labels is not None else {}
    if all(classes_for(one, known, load_ontology()) for one in needed):
        # What the labels have is not looked for again, so nothing changes and nothing is stored.
        return {}
    search = _Search(services, state, workshop)
    labels = search.run(needed)
    key = address("looked", services.case.scan.digest, labels)
    keep_labels(services.arrays, key, labels)
    services.case = replace(services.case, labels=labels)
    return {"tasks": search.tasks, "done": search.done, "evidence": search.evidence, "labels": key}


def looked(case: Case, key: str, arrays: ArrayStore) -> Case:
    """The case of a run that goes on, with the masks that it had: what engines saw, and what a person corrected.

    Raises:
        UsageError: the masks are not in the store any more.
        IntegrityError: others were put in their place.
    """
    labels = kept_labels(arrays, key, case.scan.grid)
    if labels is None:
        raise UsageError(
            "The masks that this run was made with are not in the cache any more, so it cannot go on: start it anew."
        )
    if key not in {address(how, case.scan.digest, labels) for how in ("looked", "corrected")}:
        raise IntegrityError("The masks in the cache are not those that this run was made with: start it anew.")
    return replace(case, labels=labels)


@dataclass
class _Search:
    """Chooses engines, runs them, and checks what they saw, until nothing is left to try."""

    services: Services
    state: RunState
    workshop: Workshop
    tasks: dict[str, Task] = field(default_factory=dict)
    done: dict[str, tuple[str, ...]] = field(default_factory=dict)
    evidence: dict[str, Evidence] = field(default_factory=dict)
    refused: dict[tuple[str, str], str] = field(default_factory=dict)
    """(task of an engine, structure) → why its mask does not count."""
    made: dict[str, LabelSet] = field(default_factory=dict)
    """Task of an engine → its masks as it made them."""
    settled: dict[str, Settled] = field(default_factory=dict)
    """Task of an engine → its masks as they count."""
    beside: dict[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    """Task of an engine → structures of which other engines' masks were at hand when its own were settled."""
    told: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        offers = self.workshop.offers()
        # A mask that ends at the edge of a region of interest is looked for in a larger one, by the same engine first.
        wider = [replace(one, widened=True) for one in offers if one.wider]
        self.offers = tuple(sorted((*offers, *wider), key=lambda one: (one.rank, one.backend, one.task, one.widened)))

    def run(self, wanted: Sequence[str]) -> LabelSet:
        """The case's labels with the masks of what is wanted, and the reasons for what is not seen."""
        case = self.services.case
        known = case.labels.entries if case.labels is not None else {}
        got: dict[str, tuple[Offer, LabelSet]] = {}
        unseen: dict[str, str] = {}
        around = neighbours(wanted, load_ontology())
        for _ in range(MOST_TRIES):
            choice = choose(wanted, self._left(), case.scan, case.told_phase, known={*known, *got}, around=around)
            unseen = dict(choice.unseen)
            if not choice.picked:
                break
            for offer, picked in choice.picked:
                # An engine that looks again looks for all that is wanted of it: its masks are judged together.
                structures = (*picked, *(name for name, (one, _) in got.items() if one.id == offer.id))
                made = self._segment(offer, structures)
                if made is not None:
                    got |= {name: (offer, made) for name in structures if name in made.entries}
                    self.refused |= {(offer.id, name): why for name, why in made.unseen.items() if name in structures}
                    self.made[offer.id] = made
                    self.settled.pop(offer.id, None)
            self._settle(got)
            self._check(got)
        labels = self._together(got)
        notes = [note for name, (offer, _) in got.items() for note in self.settled[offer.id].notes.get(name, ())]
        labels = replace(labels, notes=tuple(dict.fromkeys((*labels.notes, *self.told, *notes))))
        unseen |= {name: reason for (_, name), reason in self.refused.items() if name not in got}
        return without(replace(labels, notes=(*_said_of(got, case.told_phase), *labels.notes)), unseen)

    def _left(self) -> list[Offer]:
        """The offers without what they failed at."""
        left = []
        for offer in self.offers:
            classes = {name: names for name, names in offer.classes.items() if (offer.id, name) not in self.refused}
            left.append(replace(offer, classes=classes))
        return left

    def _segment(self, offer: Offer, structures: Sequence[str]) -> LabelSet | None:
        every = next(one for one in self.offers if one.id == offer.id)
        wanted = tuple(every.classes) if offer.whole else structures
        task = Task.make(
            "segment",
            {
                "backend": offer.backend,
                "task": offer.task,
                "version": offer.version,
                "structures": [*sorted(wanted)],
                "wider": offer.widened,
            },
            reason="the question needs it, and no label shows it",
        )
        known = self.state.done.get(task.id)
        if known is not None:
            made = [self.state.evidence[ident] for ident in known]
        else:
            self.services.progress(f"segmenting: {offer.title}", 0, 0)
            made = run_task(self.services, self.state, task)
        self.tasks[task.id], self.done[task.id] = task, tuple(one.id for one in made)
        self.evidence |= {one.id: one for one in made}
        failed = next((one.reason for one in made if one.quantity == FAILURE), None)
        if failed is not None:
            self.refused |= {(offer.id, name): str(failed) for name in structures}
            return None
        # Whatever the evidence came from, the masks are made again where the store lost them.
        return self.workshop.masks(self.services.case.scan, every, wanted, wider=offer.widened)[1]

    def _settle(self, got: Mapping[str, tuple[Offer, LabelSet]]) -> None:
        """Judge every engine's masks beside the user's labels and what the engines before it have seen.

        Lesions come last: whether one lies at its organ can only be told where that organ is there.
        """
        case, context = self.services.case, self.services.case.labels
        at_hand: tuple[tuple[str, str], ...] = ()
        of_engine: dict[str, list[str]] = {}
        for name, (offer, _) in got.items():
            of_engine.setdefault(offer.id, []).append(name)
        for ident in sorted(of_engine, key=lambda one: self._lesions_only(self.made[one])):
            if ident not in self.settled or self.beside[ident] != at_hand:
                self.settled[ident] = settle_masks(case.scan, context, self.made[ident], phase=case.told_phase)
                self.beside[ident] = at_hand
            masks = self.settled[ident].masks
            kept = {name: masks.entries[name] for name in of_engine[ident] if name in masks.entries}
            if kept:
                seen = replace(masks, entries=kept)
                context = merge_labels([context, seen]) if context is not None else seen
                at_hand = (*at_hand, *((ident, name) for name in sorted(kept)))

    @staticmethod
    def _lesions_only(masks: LabelSet) -> bool:
        ontology = load_ontology()
        return all(ontology.get(name).kind == "lesion" for name in masks.entries)

    def _check(self, got: dict[str, tuple[Offer, LabelSet]]) -> None:
        """Take away what cannot be right, and what was not found where another engine may find it."""
        for name, (offer, _) in list(got.items()):
            settled = self.settled[offer.id]
            flag = settled.refused.get(name)
            if flag is None and name in settled.empty and self._seen_by_others(name, offer):
                flag = settled.empty[name]
            if flag is not None:
                del got[name]
                self.refused[offer.id, name] = f"the mask that {offer.title} made cannot be right ({_WRONG[flag.kind]})"
                self.told.append(f"{told(flag)}; it is not used")
                self._record(offer, flag)
            else:
                got[name] = (offer, settled.masks)

    def _record(self, offer: Offer, flag: Flag) -> None:
        self.services.trace.append(
            Kind.MASK_REFUSED,
            {
                "engine": offer.id, "version": offer.version, "structure": flag.structure, "flag": flag.kind,
                "reason": flag.reason, "measured": dict(flag.measured),
            },
        )  # fmt: skip

    def _seen_by_others(self, name: str, offer: Offer) -> bool:
        """Whether another engine can look for a structure of which one found nothing."""
        case, own = self.services.case, offer.id
        return any(
            name in one.classes
            and one.id != own
            and one.missing is None
            and unfit(one, case.scan, case.told_phase) is None
            for one in self._left()
        )

    def _together(self, got: dict[str, tuple[Offer, LabelSet]]) -> LabelSet:
        """The user's labels and what the engines saw, each structure from the engine that was chosen for it."""
        sets: dict[int, tuple[LabelSet, list[str]]] = {}
        for name, (_, masks) in got.items():
            sets.setdefault(id(masks), (masks, []))[1].append(name)
        chosen = [
            replace(masks, entries={name: masks.entries[name] for name in names}) for masks, names in sets.values()
        ]
        own = self.services.case.labels
        every = [*([own] if own is not None else []), *chosen]
        if not every:
            return LabelSet(grid=self.services.case.scan.grid, layers=(), entries={}, source="no segmentation engine")
        return merge_labels(every)


def _said_of(got: Mapping[str, tuple[Offer, LabelSet]], phase: str | None) -> list[str]:
    """What everybody who reads a result has to know of the engines behind it."""
    offers = {offer.id: offer for offer, _ in got.values()}
    said = [
        f"masks by {one.title}, which is valid for synthetic scans only"
        for one in offers.values()
        if one.synthetic_only
    ]
    said += [
        f"masks by {one.title}, which is valid for the {' and '.join(one.phases)} phase; this scan's was not known"
        for one in offers.values()
        if one.phases and phase is None
    ]
    if offers:
        said.append(
            "uncertainties are those of the scan's resolution: how far an engine's masks are off is not in them"
        )
    return said
