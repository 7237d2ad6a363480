"""The agent: questions in, gated claims out."""
