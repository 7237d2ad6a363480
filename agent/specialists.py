"""Second opinions: every lesion that is there is shown to specialised classifiers and compared with known cases."""

from __future__ import annotations

from collections.abc import Iterator

from agent.state import Ref, RunState, Task
from tools.base import Case
from tools.classifiers.registry import classifier_names, load_classifier
from tools.ontology import load_ontology
from tools.types import State

_PHASE = "contrast_phase"


def second_opinions(state: RunState, case: Case) -> Iterator[Task]:
    """Tasks that ask specialists about the lesions that were found; none where none is made for such a scan."""
    phase = {"phase": Ref(task=Task.make(_PHASE).id, quantity="phase")}
    able = [name for name in classifier_names() if _fits(name, case)]
    for lesion in _lesions(state):
        yield Task.make("largest_lesion_region", {"structure": lesion}, reason="where the lesion lies")
        for name in able:
            arguments = {"structure": lesion, "classifier": name}
            yield Task.make("classify_lesion", {**arguments}, phase, reason="a specialist's opinion")
        if case.library is not None and case.library.unfit(synthetic=case.scan.header.synthetic) is None:
            yield Task.make("similar_cases", {"structure": lesion}, phase, reason="known cases like it")


def _lesions(state: RunState) -> list[str]:
    """Lesion classes that are there, without those that only stand for others that are told by themselves."""
    there = [
        one.target
        for one in state.evidence.values()
        if one.quantity == "exists" and one.value is True and one.state is State.MEASURED
    ]
    return [one for one in dict.fromkeys(there) if load_ontology().get(one).kind == "lesion"]


def _fits(name: str, case: Case) -> bool:
    valid = load_classifier(name).valid_for
    return valid == "any" or (valid == "synthetic") == case.scan.header.synthetic
