# Needs make and Python 3.11 or newer; everything else is installed into .venv the first time.

BIN := .venv/bin
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help demo bench bench-broker bench-fail-over bench-keys bench-latency bench-micro bench-restore bench-start bench-tasks bench-workers soak test nightly lint style types layers format

help:
	@echo 'make demo [ARGS="..."]   a live match and its alerts, in this terminal'
	@echo 'make test [ARGS="..."]   the whole test suite'
	@echo 'make nightly [ARGS="..."]  the long runs that the suite leaves out'
	@echo 'make bench [ARGS="..."]  Kafka Streams and Millstream on the same Apache Kafka (Java, Maven, Linux)'
	@echo 'make bench-broker [ARGS="..."]  the embedded broker beside Apache Kafka: throughput, latencies, CPU'
	@echo 'make bench-keys [ARGS="..."]  cost per record with few rows in the stores and with many; --short: a minute'
	@echo 'make bench-latency [ARGS="..."]  from a record to its output at 5,000 records a second, on both engines'
	@echo 'make bench-micro [ARGS="..."]  CPU of a record by operator, keys and size of rounds; --against REVISION: the ratio'
	@echo 'make bench-restore [ARGS="..."]  how fast a store of a million rows is restored, beside a plain client'
	@echo 'make bench-start [ARGS="..."]  from the start of a process to its first output, on both engines'
	@echo 'make bench-tasks [ARGS="..."]  what 64 tasks cost at a trickle, and what a rebalance takes from those that stay'
	@echo 'make bench-workers [ARGS="..."]  what a second worker adds to one, on four partitions'
	@echo 'make soak [ARGS="..."]   half an hour at full load: memory and open files must not grow'
	@echo 'make bench-fail-over [ARGS="..."]  how long a task is away when its worker is killed, with a standby copy and without'
	@echo 'make lint                style, types and the layers of the package'
	@echo 'make format              put the code into the project'"'"'s style'

demo: .venv/installed
	@$(BIN)/millstream demo $(ARGS)

# Two processes: many tests wait for brokers, workers and the JVM.
test: .venv/installed
	@$(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

nightly: .venv/installed
	@$(BIN)/python -m pytest -m nightly $(ARGS)

bench: .venv/installed
	@$(BIN)/python -m benchmarks $(ARGS)

bench-broker: .venv/installed
	@$(BIN)/python -m benchmarks.brokers $(ARGS)

bench-keys: .venv/installed
	@$(BIN)/python -m benchmarks.keys $(ARGS)

bench-latency: .venv/installed
	@$(BIN)/python -m benchmarks.latency $(ARGS)

bench-micro: .venv/installed
	@$(BIN)/python -m benchmarks.micro $(ARGS)

bench-restore: .venv/installed
	@$(BIN)/python -m benchmarks.restore $(ARGS)

bench-start: .venv/installed
	@$(BIN)/python -m benchmarks.start $(ARGS)

bench-tasks: .venv/installed
	@$(BIN)/python -m benchmarks.tasks $(ARGS)

bench-workers: .venv/installed
	@$(BIN)/python -m benchmarks.workers $(ARGS)

soak: .venv/installed
	@$(BIN)/python -m benchmarks.soak $(ARGS)

bench-fail-over: .venv/installed
	@$(BIN)/python -m benchmarks.fail_over $(ARGS)

lint: style types layers

style: .venv/installed
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: .venv/installed
	$(BIN)/mypy

layers: .venv/installed
	$(BIN)/lint-imports --no-logo --no-cache

format: .venv/installed
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

# The first Python that is new enough, of those named; `make PYTHON=/path/to/python` names another.
PYTHON ?= python3.13 python3.12 python3.11 python3.14 python3 python
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))

.venv/installed: pyproject.toml hatch_build.py src/millstream/client/librdkafka/_columns.c
	@python=; for name in $(PYTHON); do \
		if command -v $$name >/dev/null && $$name -c '$(NEW_ENOUGH)' 2>/dev/null; then python=$$name; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
		echo 'Millstream needs Python 3.11 or newer, and none of these is: $(PYTHON). Install one, or: make PYTHON=/path/to/python' >&2; exit 1; \
	fi; \
	if ! $(BIN)/python -m pip --version >/dev/null 2>&1; then \
		echo "Making .venv with $$($$python --version)"; \
		$$python -m venv --clear .venv || { echo "$$python could not make .venv (on Debian it needs the package python3-venv)" >&2; exit 1; }; \
	fi
	@echo 'Installing Millstream and what it needs into .venv (the first time: a minute or two)'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@
