"""Confidence: a model that could not answer, or whose answers differ, has concluded nothing.

How sure a conclusion is comes from how many of a model's parallel answers agree on it, never from what one of them
says of itself.
"""

from __future__ import annotations

from agent.gates.model import Finding, Gate, View, judged
from agent.state import Conclusion, Objection, RunState
from tools.types import State

_PROBLEMS = {
    "length": "the model's answers were cut at their limit of length",
    "refusal": "the model refused to answer",
    "malformed": "the model's answers could not be read",
    "schema": "the model's answers were not of the form that was asked for",
    "empty": "the model gave no answer",
}
_UNUSABLE = "the model's answers could not be used"
_SAMPLES = 2
"""Samples from which on their agreement is a confidence."""
_HALF = 0.5


def check(view: View) -> Finding:
    """Check that answers could be used, that enough of them agree, and that a confidence is their agreement."""
    made = view.conclusion
    confidence = made.pathology.confidence if made.pathology is not None else None
    if made.problem is None and made.samples == 1 and made.agreement == 1 and confidence is None:
        return Finding("not_applicable", "the model was asked once, and claims no confidence")
    objections = []
    if made.problem is not None or made.samples < 1:
        expected = _PROBLEMS.get(made.problem or "", _UNUSABLE)
        objections.append(Objection(gate="confidence", claim=None, expected=expected))
    elif not _enough(made, view.min_agreement):
        expected = "more of the model's answers have to agree with each other"
        judgement = made.pathology is not None and (made.pathology.diagnosis or made.pathology.differential)
        # What tools measured stays true; a judgement on which the model's answers differ is none.
        objections.append(Objection(gate="confidence", claim="pathology" if judgement else None, expected=expected))
    if confidence is not None and not _supported(confidence, made, view.state):
        expected = "a confidence is the share of the model's answers that agree"
        objections.append(Objection(gate="confidence", claim="pathology", expected=expected))
    return judged(objections, "enough of the model's answers agree")


def _enough(made: Conclusion, least: float) -> bool:
    """Whether enough answers agree, and more than agree on anything else: of two that differ, neither counts."""
    majority = made.samples < _SAMPLES or made.agreement > _HALF
    return majority and 0 < made.agreement <= 1 and made.agreement >= least


def _supported(confidence: float, made: Conclusion, state: RunState) -> bool:
    if made.samples >= _SAMPLES and confidence == made.agreement:
        return True
    ids = made.pathology.evidence if made.pathology is not None else ()
    cited = [state.evidence[ident] for ident in ids if ident in state.evidence]
    return any(
        one.quantity == "confidence" and one.state is State.MEASURED and one.value == confidence for one in cited
    )


GATE = Gate("confidence", 55, check)
