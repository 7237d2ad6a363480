"""Looking ahead: segmentation engines see a scan before anybody asks, so that the first answer need not wait for them.

The masks go to the store by content, where a question's own search finds them; whether they count is judged there.
"""

from __future__ import annotations

import logging

from agent.errors import ToolError
from tools.base import Case
from tools.ontology import load_ontology
from tools.segment.catalogue import choose, neighbours, unfit
from tools.segment.workshop import Workshop


def prepare(case: Case, workshop: Workshop) -> int:
    """Let the engines look that would be chosen for all they can see.

    Only engines that make all their masks at once: of the others nobody knows yet which masks will be wanted.

    Args:
        case: a scan without labels.
        workshop: the engines; its `check` may end the work by raising.

    Returns:
        How many engines have looked; one that fails is told when a question needs it.
    """
    scan, phase = case.scan, case.told_phase
    able = [one for one in workshop.offers() if one.missing is None and one.whole and unfit(one, scan, phase) is None]
    able.sort(key=lambda one: (one.rank, one.backend, one.task))
    wanted = tuple(dict.fromkeys(name for offer in able for name in offer.classes))
    choice = choose(wanted, able, scan, phase, known=set(), around=neighbours(wanted, load_ontology()))
    looked = 0
    for offer, _ in choice.picked:
        try:
            workshop.masks(scan, offer, tuple(offer.classes))
        except ToolError as error:
            logging.getLogger(__name__).info("%s could not look ahead: %s", offer.title, error)
        else:
            looked += 1
    return looked
