"""A sentence under construction: fixed words, and words bound to the evidence that carries them."""

from __future__ import annotations

from collections.abc import Mapping

from agent.report_model import Binding
from tools.ontology import is_pair, load_ontology
from tools.types import Evidence
from tools.units import number_text, symbol, with_unit

QUANTITY_NAMES = {
    "hu_mean": "mean attenuation",
    "hu_median": "median attenuation",
    "hu_sd": "standard deviation of the attenuation",
    "long_axis": "longest axial diameter",
    "short_axis": "axial short axis",
    "largest_lesion_long_axis": "longest axial diameter",
    "longest_lesion_axis": "longest axial diameter",
    "largest_lesion_volume": "volume of the largest lesion",
}


class Sentence:
    """A text under construction, with its bindings."""

    def __init__(self, evidence: Mapping[str, Evidence]) -> None:
        self.evidence = evidence
        self.text = ""
        self.bindings: list[Binding] = []

    def say(self, text: str) -> None:
        """Append fixed words."""
        self.text += text

    def bind(self, text: str, one: Evidence, field: str) -> None:
        """Append words that come from a field of a piece of evidence; no words, no binding."""
        if not text:
            return
        start = len(self.text)
        self.text += text
        self.bindings.append(Binding(start=start, end=len(self.text), evidence=one.id, field=field))

    @property
    def cited(self) -> list[str]:
        """Ids of the evidence that the text rests on, in order of first use."""
        return list(dict.fromkeys(binding.evidence for binding in self.bindings))


def quantity_name(quantity: str) -> str:
    """A quantity in words ("mean attenuation"); what derived quantities add to the name is dropped."""
    quantity = quantity.removeprefix("prior_")
    for suffix in ("_total", "_difference", "_ratio", "_share"):
        quantity = quantity.removesuffix(suffix)
    return QUANTITY_NAMES.get(quantity, quantity.replace("_", " "))


def target_name(ident: str, *, many: bool = False) -> str:
    """Display name of a structure or of several joined by "+"."""
    ontology = load_ontology()
    if ident == "scan":
        return "scan"
    found = [ontology.get(part) for part in ident.split("+")]
    return " and ".join(one.names if many or is_pair(one.id) else one.name for one in found)


def say_number(sentence: Sentence, one: Evidence, value: float, field: str, *, decimals: int | None = None) -> None:
    """Say a number of a piece of evidence, with its unit."""
    if one.quantity == "threshold":
        shown = f"{value:.6f}".rstrip("0").rstrip(".")
    elif _counts(one) and float(value).is_integer():
        shown = str(int(value))
    else:
        shown = number_text(value, one.unit) if decimals is None else f"{value:.{decimals}f}"
    sentence.bind(shown, one, field)
    if symbol(one.unit):
        sentence.say(with_unit("", one.unit))


def _counts(one: Evidence) -> bool:
    """Whether a quantity is a number of things, whose bound is as whole as its value."""
    return one.unit == "1" and "count" in one.quantity.split("_")


def say_value(sentence: Sentence, one: Evidence) -> None:
    """Say the value, or what is known instead of it."""
    if isinstance(one.value, bool):
        sentence.bind("yes" if one.value else "no", one, "value")
    elif isinstance(one.value, int | float):
        say_number(sentence, one, one.value, "value")
    elif one.value is not None:
        sentence.bind(one.value, one, "value")
    elif one.lower_bound is not None:
        sentence.say("at least ")
        say_number(sentence, one, one.lower_bound, "lower_bound")
    else:
        sentence.bind(one.state.value.replace("_", " "), one, "state")


def say_uncertainty(sentence: Sentence, one: Evidence) -> None:
    """Say "± uncertainty" with as many decimals as the value has."""
    if not one.uncertainty or not isinstance(one.value, int | float):
        return
    decimals = len(number_text(one.value, one.unit).partition(".")[2])
    while round(one.uncertainty, decimals) == 0:
        decimals += 1
    sentence.say(" ± ")
    say_number(sentence, one, one.uncertainty, "uncertainty", decimals=decimals)
