"""What a gate is: a small pure function over typed state. A new gate is one new file in this package."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Literal

import agent.gates
from agent.state import Conclusion, Objection, RunState, Task
from tools.base import CaseSettings

_REASONS_TOLD = 3
PATHOLOGY = frozenset({"diagnosis", "category_t", "category_n", "category_m", "stage", "confidence"})
"""Quantities that a pathology conclusion may rest on, besides the lesions themselves."""


@dataclass(frozen=True)
class Finding:
    """What a gate found.

    Attributes:
        outcome: pass, fail or not applicable.
        reason: one sentence.
        objections: one for every claim refused.
        repairs: tasks that could mend it.
    """

    outcome: Literal["pass", "fail", "not_applicable"]
    reason: str
    objections: tuple[Objection, ...] = ()
    repairs: tuple[Task, ...] = ()


@dataclass(frozen=True)
class View:
    """What a gate may look at.

    Attributes:
        state: the run's state.
        conclusion: what the model concluded.
        settings: what the user declared of the case.
        min_agreement: share of a model's samples that a conclusion needs.
    """

    state: RunState
    conclusion: Conclusion
    settings: CaseSettings = field(default_factory=CaseSettings)
    min_agreement: float = 0.5

    def cited(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Id of every claim with the evidence that it cites; that of the pathology conclusion is "pathology"."""
        for claim in self.conclusion.claims:
            yield claim.id, claim.evidence
        if self.conclusion.pathology is not None:
            yield "pathology", self.conclusion.pathology.evidence


@dataclass(frozen=True)
class Gate:
    """A named gate.

    Attributes:
        name: shown in verdicts.
        order: gates run in this order.
        check: the pure function.
    """

    name: str
    order: int
    check: Callable[[View], Finding]


def passed(reason: str) -> Finding:
    """The gate has nothing to object to."""
    return Finding("pass", reason)


def judged(objections: list[Objection], fine: str, repairs: tuple[Task, ...] = ()) -> Finding:
    """Fail with the objections if there are any, else pass.

    The reason is shown in reports, so it says nothing in the model's own words: no id of a claim, no id that the
    model cites.
    """
    if not objections:
        return passed(fine)
    reasons = list(dict.fromkeys(objection.expected for objection in objections))
    return Finding("fail", "; ".join(reasons[:_REASONS_TOLD]), tuple(objections), repairs)


@cache
def load_gates() -> tuple[Gate, ...]:
    """Every `GATE` of the modules in this package, in order."""
    modules = [
        importlib.import_module(f"agent.gates.{info.name}") for info in pkgutil.iter_modules(agent.gates.__path__)
    ]
    gates = [module.GATE for module in modules if hasattr(module, "GATE")]
    return tuple(sorted(gates, key=lambda gate: gate.order))
