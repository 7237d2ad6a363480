"""Reads sentences of clinical rules: the numbers in them, and the verdicts that follow from one number.

Thresholds stand in `evals.truth_rules`, written from the publications, not in the rules of the program under test.
"""

from __future__ import annotations

import re

from evals.honesty.facts import Facts, Measured
from evals.honesty.names import identifier
from evals.honesty.readers import UNREAD, Number, lookup, pieces, reads
from evals.truth_rules import ENLARGED_CM3, SPLEEN_ENLARGED_CM3, SPLEEN_GRADES_CM3

_NUMBER = r"-?\d+(?:\.\d+)?"
_AGAINST = re.compile(rf"the ratio of its mean attenuation to the (?P<other>[^'’]+)['’]s is (?P<value>{_NUMBER})")
_ITS = re.compile(
    rf"(?:(?P<its>its)|the) (?P<quantity>volume|mean attenuation)(?: of the (?P<name>[a-z ]+?))? is "
    rf"(?P<value>{_NUMBER} ?(?:cm³|HU))"
)
_LONGEST = re.compile(r"longest axial diameter of any of its lesions is (?P<value>[\d.]+ mm)")
_HOW_MANY = re.compile(r"(?<!enlarged )the number of lesions is (?P<value>\d+)")
_GRADES = {"normal": 0, "mildly enlarged": 1, "moderately enlarged": 2, "severely enlarged": 3}


@reads(
    r"By the (?P<source>[^,]+?) rule, (?:whether )?the (?P<name>[^,.:;()]+?) (?P<verdict>is not enlarged|is enlarged|"
    r"is (?:mildly|moderately|severely) enlarged|(?:is|has|was|cannot|lies)\b[^:]*?): (?P<body>.*?)\."
    r"(?= By the | Source: |$)(?P<after>(?: Source: .*?\.(?= By the |$))?)"
)
def _rule(found: re.Match[str], facts: Facts) -> str | None:
    """What a rule says of a structure; a verdict that no number here decides is left to others."""
    subject = lookup(found["name"], facts)
    wrong = _numbers(found["body"], found["name"], subject, facts)
    if wrong is not None:
        return wrong
    borderline = "borderline" in found["after"] or "borderline" in found["body"]
    ident, verdict = identifier(found["name"]), found["verdict"].removeprefix("is ")
    if subject is not None and not subject.cut:
        if ident == "spleen" and verdict in {"enlarged", "not enlarged"}:
            true = subject.volume > SPLEEN_ENLARGED_CM3
            return None if borderline or true == (verdict == "enlarged") else "the threshold says otherwise"
        if ident == "spleen" and verdict.partition(" (")[0] in _GRADES:
            grade = sum(subject.volume > edge for edge in SPLEEN_GRADES_CM3)
            said = _GRADES[verdict.partition(" (")[0]]
            return None if borderline or said == grade else "the thresholds say otherwise"
        if ident is not None and ident in ENLARGED_CM3 and verdict in {"enlarged", "not enlarged"}:
            readings = {subject.volume > edge for edge in ENLARGED_CM3[ident]}
            return None if borderline or (verdict == "enlarged") in readings else "the thresholds say otherwise"
    return UNREAD


def _numbers(body: str, words: str, subject: Measured | None, facts: Facts) -> str | None:
    """What is wrong with the measurements that a rule's sentence quotes."""
    for one in _ITS.finditer(body):
        known = subject if one["its"] else lookup(one["name"] or words, facts)
        if known is None:
            continue
        truth = known.volume if one["quantity"] == "volume" else known.hu_mean
        if not Number(one["value"]).equals(truth, 0.002):
            return f"the {one['quantity']} is {truth}"
    for one in _AGAINST.finditer(body):
        other = lookup(one["other"], facts)
        if subject is None or other is None or subject.hu_mean is None or not other.hu_mean:
            continue
        if not Number(one["value"]).equals(subject.hu_mean / other.hu_mean, 0.003):
            return f"the ratio is {subject.hu_mean / other.hu_mean}"
    several = pieces(words, facts)
    for one in _LONGEST.finditer(body):
        if several and not any(Number(one["value"]).equals(piece.long_axis, 0.03) for piece in several):
            return "no lesion has this diameter"
    for one in _HOW_MANY.finditer(body):
        if several is not None and len(several) != int(one["value"]):
            return f"there are {len(several)} lesions"
    return None
