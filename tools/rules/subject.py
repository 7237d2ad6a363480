"""What a rule is applied to: an organ, a lesion in it, or the scan; and the tool calls that its inputs then are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import JsonValue

from tools.ontology import is_pair, load_ontology
from tools.rules.model import AnyRule
from tools.rules.table import ANY_ORGAN, Call, TableRule

SCAN = "scan"


@dataclass(frozen=True)
class Subject:
    """What a rule is applied to.

    Attributes:
        asked: the structure that the question names.
        organ: the organ, with its side; that of the lesion where a lesion is asked about.
        base: the organ without its side, as rules name it.
        lesion_type: type of the lesion that is asked about, None for an organ.
    """

    asked: str
    organ: str
    base: str
    lesion_type: str | None = None

    def lesion(self, rule: TableRule) -> str:
        """Identifier of the lesion that the rule is about."""
        if self.lesion_type is not None:
            return self.asked
        return load_ontology().lesion_id(rule.lesion or "lesion", None if self.organ == SCAN else self.organ)

    def lesion_class(self, rule: TableRule) -> str:
        """The class of the lesion that the rule is about, whichever of its lesions is asked about."""
        return self.lesion(rule).partition("#")[0]

    def about_lesion(self, rule: AnyRule) -> bool:
        """Whether the verdict is on a lesion, so that there is none where the lesion is absent."""
        return isinstance(rule, TableRule) and bool(self.lesion_type or rule.lesion)

    def assumes(self, rule: AnyRule) -> str | None:
        """Type that the rule takes the lesion to be of, where what is asked about is not known to be of it."""
        if not isinstance(rule, TableRule) or not rule.lesion or self.lesion_type is None:
            return None
        return None if rule.lesion in load_ontology().ancestors(self.lesion_type) else rule.lesion

    def sides(self) -> tuple[str, ...]:
        """The same on each side of a paired organ; itself for anything that has one side or none."""
        whole = load_ontology().get(self.organ)
        if not is_pair(self.organ) or "#" in self.asked:
            return (self.asked,)
        if self.lesion_type is None:
            return whole.parts
        return tuple(load_ontology().lesion_id(self.lesion_type, part) for part in whole.parts)


def subject_of(structure: str, bases: frozenset[str]) -> Subject:
    """What rules are applied to when a structure is asked about.

    Args:
        structure: canonical identifier of an organ or of a lesion; "scan" for the patient.
        bases: organs that there are rules for; a lesion in a region of an organ counts as one of the organ, unless
            the region has rules of its own. (A region itself is not judged by the rules on its organ.)
    """
    ontology = load_ontology()
    asked = ontology.get(structure)
    if asked.kind != "lesion":
        return Subject(structure, asked.id, asked.base)
    organ = ontology.get(asked.organ or SCAN)
    while not bases & {organ.base, ANY_ORGAN} and organ.part_of is not None:
        organ = ontology.get(organ.part_of)
    return Subject(structure, organ.id, organ.base, asked.lesion_type)


def input_calls(rule: TableRule, subject: Subject) -> Iterator[tuple[str, Call]]:
    """The tool calls behind the inputs that tools make, by input, with their placeholders filled; divisors after."""
    lesion = subject.lesion(rule)
    for name, one in rule.inputs.items():
        if one.tool is not None:
            yield name, _filled(one.call, subject.organ, lesion)
        if one.over is not None:
            yield name, _filled(one.over, subject.organ, lesion)


def _filled(call: Call, organ: str, lesion: str) -> Call:
    def fill(value: JsonValue) -> JsonValue:
        if isinstance(value, list):
            return [fill(item) for item in value]
        return {"$structure": organ, "$lesion": lesion}.get(value, value) if isinstance(value, str) else value

    return call.model_copy(update={"args": {name: fill(value) for name, value in call.args.items()}})
