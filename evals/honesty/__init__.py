"""The honesty suite: models that lie, and a reader of reports that finds what is not true in them.

    files → facts (counted anew from the voxels)  ┐
    truth.json → questions with what is true      ├→ checker: every sentence and typed field of a report
    embedded reasoner → what else may be said     ┘

The checker uses no gate and no tool of the program under test; of the ontology it takes the names of structures.
"""
