"""Attenuation class of a lesion against its organ: hypo-, iso- or hyperattenuating."""

from __future__ import annotations

from agent.errors import ToolError
from tools.base import EvidenceId, Facts, Maker, tool
from tools.intervals import Interval, cited, interval, unmet
from tools.ontology import load_ontology
from tools.rules.margins import margin
from tools.types import Evidence, State

_RULE = "lesion-attenuation-radgpt"
_OF = "The attenuation of the {target} against its organ "


def classify(difference: float, band: float) -> str:
    """Class of a difference in HU (lesion minus organ): isoattenuating where it is smaller than the band."""
    if abs(difference) < band or difference == 0:
        return "isoattenuating"
    return "hypoattenuating" if difference < 0 else "hyperattenuating"


def band_of(sd: float) -> float:
    """Width in HU of the band of isoattenuation, from the organ's standard deviation."""
    return margin(_RULE).value * sd


def possible_classes(difference: Interval, band: Interval) -> list[str]:
    """Every class that some difference and some band within the intervals give, darkest first."""
    classes = []
    if difference.low < 0 and -difference.low >= band.low:
        classes.append("hypoattenuating")
    nearest = 0.0 if difference.low <= 0 <= difference.high else min(abs(difference.low), abs(difference.high))
    if nearest < band.high or nearest == 0:
        classes.append("isoattenuating")
    if difference.high > 0 and difference.high >= band.low:
        classes.append("hyperattenuating")
    return classes


@tool(
    version="2",
    reads=("evidence",),
    says={
        "attenuation": {
            "measured": "The largest {target} is {value}: its mean attenuation is {in0.value}, that of the "
            "{in1.target} {in1.value}, a difference of {num.difference_hu}; a difference below {num.band_hu}, a "
            "fraction of {num.factor} of the organ's standard deviation, is isoattenuating by {detail.citation}."
            "{borderline}",
            "not_measurable": _OF + "cannot be told: {reason}.",
            "not_assessed": _OF + "was not assessed: {reason}.",
            "absent": "No {target} was found: {reason}.",
        }
    },
)
def attenuation_class(
    case: Facts, make: Maker, *, lesion: EvidenceId, organ: EvidenceId, spread: EvidenceId
) -> list[Evidence]:
    """Whether a lesion is hypo-, iso- or hyperattenuating against its organ.

    It is isoattenuating if the means differ by less than a fraction of the organ's standard deviation (rule
    ``lesion-attenuation-radgpt``).

    Args:
        lesion: evidence id of the lesion's mean attenuation, HU.
        organ: evidence id of the mean attenuation of the organ without its lesions, HU.
        spread: evidence id of the standard deviation of the same organ, HU.

    Raises:
        ToolError: for inputs that are not these quantities.
    """
    inputs = [cited(case, ident) for ident in (lesion, organ, spread)]
    _check(*inputs)
    rule = margin(_RULE)
    target, method = inputs[0].target, "difference of the means against a fraction of the organ's standard deviation"
    mean, host, deviation = (interval(one) for one in inputs)
    ids = (lesion, organ, spread)
    if mean is None or host is None or deviation is None:
        state, reason = unmet(inputs) or (State.NOT_MEASURABLE, "an input is no number")
        return [make("attenuation", target, state=state, reason=reason, method=method, inputs=ids)]
    if mean.value is None or host.value is None or deviation.value is None:
        raise ToolError("an attenuation has no bounds to decide by")
    difference, band = mean.value - host.value, rule.value * deviation.value
    readings = possible_classes(
        Interval(difference, mean.low - host.high, mean.high - host.low),
        Interval(band, rule.value * deviation.low, rule.value * deviation.high),
    )
    details = {
        **rule.details,
        "difference_hu": round(difference, 4),
        "band_hu": round(band, 4),
        "factor": rule.value,
        "organ": inputs[1].target,
        "borderline": list(readings) if len(readings) > 1 else [],
    }
    return [
        make(
            "attenuation", target, state=State.MEASURED, value=classify(difference, band), method=method,
            inputs=ids, details=details,
        )
    ]  # fmt: skip


def _check(lesion: Evidence, organ: Evidence, spread: Evidence) -> None:
    """Refuse inputs of another quantity or place."""
    if not (lesion.quantity.endswith("hu_mean") and organ.quantity == "hu_mean" and spread.quantity == "hu_sd"):
        raise ToolError("an attenuation class needs two mean attenuations and a standard deviation")
    if organ.target != spread.target:
        raise ToolError("the standard deviation is not that of the organ")
    ontology = load_ontology()
    if ontology.get(lesion.target).kind != "lesion" or ontology.get(organ.target).kind == "lesion":
        raise ToolError("an attenuation class compares a lesion with an organ")
