"""Tools: typed measurements of a scan. They return evidence, never prose."""
