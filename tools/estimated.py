"""Which results rest on masks that an engine drew: of such a mask not even a bound is certain.

A structure that is cut off is at least as large as what is seen of it, if what is seen is it. An engine may have
drawn too much; then "at least" would be wrong.
"""

from __future__ import annotations

from collections.abc import Collection

from tools.ontology import load_ontology
from tools.structure_parts import parts_of, region_host

SCAN = "scan"
REASON = "an engine drew the mask, so that not even a bound is certain"


def rests_on(target: str, estimated: Collection[str]) -> bool:
    """Whether what is said of a target rests on one of the structures that an engine drew.

    Args:
        target: canonical id, several joined by "+", or "scan".
        estimated: canonical ids of the structures whose masks an engine drew.
    """
    if not estimated:
        return False
    if target == SCAN:
        return True
    ontology = load_ontology()
    for one in target.split("+"):
        place = ontology.get(one)
        hosts = {host for host in (place.organ, region_host(one, ontology)) if host is not None}
        related = {one.partition("#")[0], *parts_of(one, ontology), *place.regions, *hosts}
        related |= {part for host in hosts for part in parts_of(host, ontology)}
        if related & set(estimated):
            return True
        # An organ counts with its lesions, and a lesion class with the special ones of its organ.
        if any(ontology.get(each).organ in related for each in estimated):
            return True
    return False
