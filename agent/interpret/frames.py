"""Courtesies around a question ("I would be grateful if you could tell me whether …"), which ask nothing themselves."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

_ROLE = (
    r"(?:referr(?:er|ing (?:doctor|physician|clinician|surgeon|team|unit))|clinicians?|surgeons?|physician|doctor|gp|"
    r"oncologists?|urologists?|hepatologists?|gastroenterologists?|ha?ematologists?|nephrologists?|radiologists?|"
    r"resident|registrar|consultant|attending|colleagues?|boss|ward|department|clinic|(?:surgical|clinical) team|team|"
    r"tumou?r board|tumou?r conference|board|mdt|multidisciplinary (?:team|board)|family|students?|nurse)"
)
_UNIT = r"(?:ha?ematology|oncology|urology|surgery|hepatology|gastroenterology|nephrology|internal medicine)"
_WHO = rf"(?:(?:the|our|my|a|his|her|their) {_ROLE}|{_UNIT}|i|we|they)"
_YOU = r"you (?:could|would|can|might)(?: please| kindly)?"
_TELL = r"(?:(?:tell|let|inform|advise|show|give) (?:me|us)(?: know)?|tell|advise|say|confirm)"
_IF = r"(?: (?:if|whether|that))?"
_WHETHER = r" (?:if|whether)"

_ON = r"(?:based on|from|in|on|given|using|within|throughout|looking at|across|going by|judging by|according to)"
_DATA = (
    r"(?:the|this|these|our|my|that) (?:(?:given|provided|available|present|current|attached|supplied|abdominal) )?"
    r"(?:(?:3 d |3d )?(?:ct|computed tomography|image|imaging|scan) (?:volumes?|data|data ?sets?)|image series)"
)

_LEADS = (
    rf"(?:i|we) (?:would|d) (?:be )?(?:very |most |really |so |much |greatly )?(?:grateful|thankful|obliged|glad|happy|"
    rf"pleased|appreciate it|appreciate) (?:if|for) {_YOU}(?: {_TELL}{_IF})?",
    rf"it would be (?:nice|helpful|great|good|useful|kind) (?:to know{_IF}|if {_YOU}(?: {_TELL}{_IF})?)",
    rf"{_WHO} (?:needs?|wants?|would like|d like|wishes|wish|has|have) to (?:know|learn|be told|hear){_IF}",
    rf"{_WHO} (?:asks?|asked|wonders?|wondered|is asking|are asking|is wondering|are wondering|has asked|have asked|"
    rf"was asking|were asking|is unsure|are unsure|is not sure|are not sure|am not sure|am unsure|m unsure|m not sure|"
    rf"cannot decide|can not decide|cannot tell|is curious|am curious|m curious|are curious)(?: me| us| you)?"
    rf"{_WHETHER}",
    rf"would you (?:please |kindly )?be (?:so (?:kind|good|nice) (?:as )?|kind enough )to(?: {_TELL}{_IF})?",
    rf"(?:would|do) you mind (?:telling|showing|giving|letting) (?:me|us)(?: know)?{_IF}",
    rf"do you happen to (?:know|see){_IF}",
    rf"(?:i|we) (?:would|d) like you to(?: {_TELL}{_IF})?",
    rf"(?:please |kindly )?advise{_WHETHER}",
    rf"(?:my|our|the|one|the clinical|clinical) question is{_IF}",
    rf"(?:are you|would you be|is one) able to (?:tell|say|tell me|tell us|confirm){_IF}",
    r"(?:for|in) (?:my|our|the) (?:report|records?|files?|letter|documentation)",
    r"just (?:to be sure|checking|curious|to confirm|to make sure)",
    r"(?:another|one more|next|last|a further|final) (?:question|thing)",
    rf"any idea{_WHETHER}",
    rf"{_ON} {_DATA}(?= ,)",
)
_TRAILS = (
    rf"{_ON} {_DATA}",
    rf"(?:the |our |my )?(?:{_ROLE}|{_UNIT}) (?:is|are) (?:asking|wondering|waiting|curious)",
    rf"(?:the |our |my )?(?:{_ROLE}|{_UNIT}) (?:wants?|needs?|would like) to know",
    rf"(?:for|asks|says|asked by) (?:the|our|my) (?:{_ROLE}|report|records?|files?|letter|documentation)",
    r"(?:and )?(?:please )?(?:just )?(?:answer|reply|respond) (?:with |by |me )?(?:a )?(?:simple |clear |plain )?"
    r"(?:yes or no|yes / no|y / n)(?: only| please)?",
    r"(?:a )?(?:simple |clear |plain )?(?:yes or no|yes / no|y / n) (?:answer |reply )?(?:will do|is enough|suffices|"
    r"please|would do|answer)",
    r"i (?:only )?have (?:only )?(?:a few|a|one|two|three|five|ten|\d+) (?:minutes?|seconds?)",
    r"(?:what|which (?:number|value|result|figure)|what (?:number|value|result|figure)) (?:do|would) you "
    r"(?:get|obtain|arrive at|come up with|end up with)",
    r"what (?:is|would be) the (?:result|outcome)",
    r"(?:do|would) you (?:get|obtain|arrive at|come up with)",
    r"(?:is|are) (?:closest|nearest) to",
    r"(?:as opposed to|or) no such (?:tumou?r|lesion|mass|cyst|finding|thing)",
    r"would be (?:appreciated|great|nice|helpful)",
)
_PUNCTUATION = frozenset({",", ":", "/", "="})
_BEFORE = frozenset({
    "please", "hello", "hi", "dear", "and", "so", "ok", "well", "colleague", "colleagues", "team", "good", "morning",
    "day", "sir", "or", "madam", "all", *_PUNCTUATION,
})  # fmt: skip


def frames(texts: Sequence[str]) -> dict[int, int]:
    """Words of a sentence that only frame it: the first word of each frame, and one past its last word.

    A frame stands at the beginning (behind a greeting) or at the end; the same words elsewhere are none.
    """
    found: dict[int, int] = {}
    at, begin, end = _skip(texts, 0), 0, len(texts)
    while at < end and (size := _matched(_leads(), texts[at:end])):
        found[at] = begin = at + size
        at = _skip(texts, begin)
    while end > begin:
        last = end
        while last > begin and texts[last - 1] in _PUNCTUATION:
            last -= 1
        first = next((n for n in range(begin, last) if _matched(_trails(), texts[n:last]) == last - n), None)
        if first is None:
            break
        found[first] = last
        end = first
    return found


def _skip(texts: Sequence[str], at: int) -> int:
    after = at
    while after < len(texts) and texts[after] in _BEFORE:
        after += 1
    return after


def _matched(pattern: re.Pattern[str], texts: Sequence[str]) -> int:
    """How many whole words at the beginning a pattern takes."""
    told = pattern.match(" ".join(texts) + " ")
    return len(told.group(0).split()) if told else 0


@cache
def _leads() -> re.Pattern[str]:
    return re.compile("(?:" + "|".join(_LEADS) + r")(?= )")


@cache
def _trails() -> re.Pattern[str]:
    return re.compile("(?:" + "|".join(_TRAILS) + r")(?= $)")
