# Everything here works from nothing on a machine with python3 (3.11 or later), make and a package index.
# A finished step is not repeated; `make clean` removes what was made, and keeps the peers' state in var/.
SHELL := /bin/sh
BIN := .venv/bin
WEB_SOURCES := $(shell find gateway/web -name node_modules -prune -o -name __pycache__ -prune -o -print)

.PHONY: setup run test test-hwm1 test-rest check docs demo experiment validate bench bench-first bench-rivals bench-page test-page-long lock clean
.DEFAULT_GOAL := setup

setup: .venv/.ok gateway/static/.ok

run: setup
	@$(BIN)/shoal up

test: setup
	@$(BIN)/python tests/kit/install_browser.py
	@$(BIN)/python -m pytest tests/

# The tests on real processes once more with one message of room in every socket: credit does the work then.
test-hwm1: setup
	@SHOAL__NETWORK__HWM=1 $(BIN)/python -m pytest tests/system

# Requests made up from the OpenAPI document, right and wrong ones: no failure, and no status that it does not list.
test-rest: setup
	@SHOAL_REST_EXAMPLES=50 $(BIN)/python -m pytest tests/integration/test_gateway_contract.py

check: .venv/.ok
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python gateway/web/build.py --check
	$(BIN)/python -m pytest -q tests/architecture

# The tables in docs/ that are made from the code.
docs: .venv/.ok
	@$(BIN)/python docs/generate.py

demo: setup
	@$(BIN)/python -m experiments.demo

# Twenty real peers, one file: events, figures and numbers go to results/first.
experiment: setup
	@$(BIN)/shoal experiment run experiments/scenarios/first.yaml -o results/first --replace

# The simulator beside real processes, in about six minutes; ARGS=--record puts figure and table into the documents.
validate: setup
	@$(BIN)/python -m experiments.validate $(ARGS)

# Shoal beside libtorrent, nginx, aria2, rsync, b3sum and two limits: about two hours on an idle machine with 12 GiB of
# free memory and 40 GiB of disk; ARGS="--cases one --size 256MiB --rounds 1" is quick.
bench: setup
	@$(BIN)/python -m experiments.bench $(ARGS)

# One file from one to one beside the bare pump.
bench-first: setup
	@$(BIN)/python -m experiments.bench --cases one --contenders shoal,pump-curve --rounds 3 $(ARGS)

# The programs of the comparison that are no Python packages, from the system's packages; as root.
bench-rivals: .venv/.ok
	@$(BIN)/python -m experiments.bench.install_rivals

# The page's figures in a real Chromium: how soon events are seen, ten thousand lines, a storm of events. Four minutes.
bench-page: setup
	@$(BIN)/python -m tests.long --cases latency,rows,storm $(ARGS)

# A tab frozen for ten minutes, twice; gateway and peer killed twenty times under an open page; two hundred hostile names
# through share, tracker and page. Forty minutes.
test-page-long: setup
	@$(BIN)/python -m tests.long --cases frozen,killed,names $(ARGS)

# An environment does not survive a move of the checkout: its scripts carry absolute paths, so the stamp holds the place.
ifneq ($(wildcard .venv/.ok),)
ifneq ($(shell cat .venv/.ok),$(CURDIR))
.venv/.ok: moved
.PHONY: moved
moved: ; @rm -rf .venv
endif
endif

.venv/.ok: requirements/dev.lock pyproject.toml
	@sh requirements/make_venv.sh
	$(BIN)/python -m pip install -q --require-hashes -r requirements/dev.lock
	$(BIN)/python -m pip install -q --no-deps --no-build-isolation -e .
	@# Where PYTHONDONTWRITEBYTECODE is set, as in many containers, every start would compile all of it anew.
	$(BIN)/python -m compileall -q -x gateway/web bus experiments gateway peer supervisor.py tracker
	@printf '%s\n' '$(CURDIR)' > $@

# Directories count as sources too, so that a removed file rebuilds the page.
gateway/static/.ok: $(WEB_SOURCES) | .venv/.ok
	$(BIN)/python gateway/web/build.py

# For developers: exact versions from the bounds in pyproject.toml, with any uv on the PATH; no address enters a lock.
# It keeps the versions that are locked as far as it can: `make lock UPGRADE=--upgrade` takes the newest.
UV ?= uv
LOCK = $(UV) pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -q
lock:
	$(LOCK) --extra dev --extra experiments --extra cluster -o requirements/dev.lock $(UPGRADE)
	$(LOCK) -c requirements/dev.lock -o requirements/run.lock

clean:
	rm -rf .venv .tools gateway/static gateway/web/node_modules build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
