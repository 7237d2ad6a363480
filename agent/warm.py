"""Tables and templates that every first question needs, read while the scan is being decompressed."""

from __future__ import annotations

from agent.gates.model import load_gates
from agent.interpret import interpret
from agent.query import load_kinds
from agent.report import load_templates
from tools.registry import load_tools
from tools.rules.model import load_rules


def warm_up() -> None:
    """Fill the caches of one process; calling it again costs nothing."""
    load_tools()
    load_rules()
    load_gates()
    load_templates()
    for kind in list(load_kinds().values())[:1]:
        interpret(kind.example)
