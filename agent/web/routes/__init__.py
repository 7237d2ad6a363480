"""One file a group of paths; `agent.web.app` puts them together."""
