"""Reference knowledge: the ontology of structures, guideline passages, case indices."""
