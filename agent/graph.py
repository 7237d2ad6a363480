"""The loop as a graph: wiring only."""

from __future__ import annotations

from typing import Literal

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph

from agent.critic import criticise
from agent.executor import execute
from agent.intake import intake
from agent.planner import plan
from agent.reasoner import reason
from agent.reporting import report
from agent.services import Services
from agent.state import RunState


def after_critic(state: RunState) -> Literal["plan", "report"]:
    """Another round while the critic has not decided."""
    return "plan" if state.status is None else "report"


def build_graph(checkpointer: BaseCheckpointSaver[str]) -> CompiledStateGraph[RunState, Services, RunState, RunState]:
    """intake → plan → execute → reason → criticise → (plan | report)."""
    graph = StateGraph(RunState, context_schema=Services)
    graph.add_node("intake", intake)
    graph.add_node("plan", plan)
    graph.add_node("execute", execute)
    graph.add_node("reason", reason)
    graph.add_node("criticise", criticise)
    graph.add_edge(START, "intake")
    graph.add_edge("intake", "plan")
    graph.add_edge("plan", "execute")
    graph.add_edge("execute", "reason")
    graph.add_edge("reason", "criticise")
    graph.add_node("report", report)
    graph.add_conditional_edges("criticise", after_critic)
    graph.add_edge("report", END)
    return graph.compile(checkpointer=checkpointer)
