"""The baseline: the same served model in a plain ReAct loop, which writes its answer as it likes."""
