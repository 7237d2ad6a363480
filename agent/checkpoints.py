"""Where a run has got to, from which it goes on: LangGraph's checkpoints in one SQLite file a run."""

from __future__ import annotations

import sqlite3

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.types import StateSnapshot

from agent.runs import RunFolder
from agent.settings import Settings

_STATE_MODULES = {
    "agent.state": (
        "Request", "Task", "Ref", "Taken", "Target", "Claim", "PathologyClaim", "Conclusion", "Objection", "RunState",
    ),
    "agent.models.usage": ("Usage",),
    "agent.query": ("Query", "NotUnderstood"),
    "agent.report_model": ("Binding", "Verdict", "Review", "ReviewedPathology"),
    "tools.correct_model": ("Amount", "Change", "Edit"),
    "tools.types": ("Evidence", "State"),
}  # fmt: skip
STATE_TYPES = tuple((module, name) for module, names in _STATE_MODULES.items() for name in names)
"""Only these types are ever made from a checkpoint."""


def checkpoints(connection: sqlite3.Connection) -> SqliteSaver:
    """The checkpointer of a run: only the types of the state are ever made from what it holds."""
    return SqliteSaver(connection, serde=JsonPlusSerializer(allowed_msgpack_modules=STATE_TYPES))


def run_config(folder: RunFolder, settings: Settings) -> RunnableConfig:
    """Configuration of the graph for one run."""
    return {"configurable": {"thread_id": folder.id}, "recursion_limit": 10 + 24 * settings.max_rounds}


def nodes_left(snapshot: StateSnapshot) -> list[str]:
    """Nodes that a run still has to do or to end with; none of a run that ended, or that has not begun.

    What a node made is stored before the checkpoint that holds it: a run that was killed between the two has its node
    among these, and not in `StateSnapshot.next`, which would call it finished.
    """
    return [task.name for task in snapshot.tasks]
