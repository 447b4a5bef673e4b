# Two commands, nothing before them: `make demo` and `make test`. Both need Python 3.11 or newer and make.
#
#   PORT=9000         another port for the demo            RESET=1   start the demo over, its data deleted
#   CHECK=1           start, request every page, stop
#   TORCH_INDEX=URL   where to take torch from, e.g. https://download.pytorch.org/whl/cpu (the small build)

SHELL := /bin/sh
VENV := .venv
PORT ?= 8000

INSTALLED := $(VENV)/.installed
BIN := $(VENV)/bin

# mypy and its Django plug-in read the settings; with these nothing is started for them.
NO_SERVICES := DATABASE_URL=postgres://nobody@127.0.0.1/none REDIS_URL=redis://127.0.0.1 SECRET_KEY=none

.PHONY: demo test check clean
.DEFAULT_GOAL := demo

demo: $(INSTALLED)
	@PORT=$(PORT) RESET=$(RESET) CHECK=$(CHECK) exec $(BIN)/python manage.py demo

test: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(NO_SERVICES) $(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/pytest --numprocesses auto --maxprocesses 4 --dist worksteal

$(INSTALLED): pyproject.toml
	@python=; for name in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	  if $$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then python=$$name; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
	  echo "Python 3.11 or newer is needed; found: $$(python3 --version 2>&1). Remedy: apt-get install python3.11" >&2; exit 1; \
	fi; \
	if ! $(BIN)/python -c '' 2>/dev/null; then \
	  if ! $$python -c 'import ensurepip, venv' 2>/dev/null; then \
	    echo "$$python cannot make virtual environments. Remedy: apt-get install $$($$python -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')" >&2; exit 1; \
	  fi; \
	  echo "Creating $(VENV) with $$($$python --version)"; \
	  $$python -m venv --clear $(VENV) || exit 1; \
	fi
	@if [ -n "$(TORCH_INDEX)" ]; then \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --index-url "$(TORCH_INDEX)" "$$(sed -n 's/^ *"\(torch==[^"]*\)".*/\1/p' pyproject.toml)"; \
	fi
	@echo "Installing the dependencies (about 1 GB; 3 GB more where torch brings CUDA, see TORCH_INDEX)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[embedded,dev]'
	@touch $@
