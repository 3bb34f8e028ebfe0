# Everything a person or a machine does with this project. `make help` lists it.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
FARM := .venv/bin/farm
PY := .venv/bin/python
LOCK := uv pip compile pyproject.toml --quiet --generate-hashes --no-emit-index-url --no-annotate --no-header \
	--universal --python-version 3.13

# Tests start hundreds of processes: Python shall compile a module once, not in each of them.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

.PHONY: setup
setup: ## Install all that is needed to render (system libraries, Python packages in .venv)
	@tools/setup.sh runtime

.PHONY: demo
demo: setup ## Render the two mascots by the paper's full rule: 960 images, two contact sheets
	@$(FARM) demo --out build/demo

.PHONY: setup-test
setup-test:
	@tools/setup.sh test

.PHONY: check
check: setup-test ## Lint, format, types, arrows between packages, known vulnerabilities where the network lets it ask
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy --num-workers 2
	.venv/bin/lint-imports --no-cache | tail -n 8
	$(PY) tools/audit.py $(if $(AUDIT),--require)

.PHONY: test
test: check ## All checks and all tests: real Valkey, real S3, real Blender
	$(PY) -m pytest -n auto --maxprocesses 6 --dist loadfile --no-loadscope-reorder

.PHONY: long
long: setup-test ## The tests that `make test` leaves out, since a sibling of each runs there (minutes)
	$(PY) -m pytest -m long -n auto --maxprocesses 6 --dist loadfile

.PHONY: bench
bench: setup-test ## Speed and likeness against today's practice (many minutes; QUICK=1: fewer): benchmarks/results.json, .svg
	$(PY) -m benchmarks.bench $(if $(QUICK),--quick) $(MODELS)

.PHONY: recipes-bench
recipes-bench: setup-test ## Images a second and CPU seconds of each recipe, against one render call an image in the same run (minutes)
	$(PY) -m benchmarks.recipes $(MODELS)

.PHONY: pose-spaces
pose-spaces: setup-test ## Every entry of every space on the characters at hand changes its part (minutes); the tables of the page anew
	$(PY) -m tools.pose_spaces
	$(PY) -m pytest -q -m '' tests/blender_worker/test_pose_spaces.py

.PHONY: annotation-bench
annotation-bench: setup-test ## Precision and recall of the annotation on annotated characters that it was not fitted on
	OPENBLAS_NUM_THREADS=1 $(PY) -m benchmarks.annotation $(CHARACTERS)  # its matrices are small: threads wait for each other

.PHONY: ridge
ridge: setup-test ## Whether poses mean the same over several characters: R2 of a ridge regression (minutes)
	$(PY) -m benchmarks.ridge $(MODELS)

.PHONY: sheet
sheet: setup-test ## All characters at hand in all styles, with parts and landmarks: build/sheet/index.html, sheet.png
	$(PY) -m benchmarks.sheet $(MODELS)

.PHONY: fuzz
fuzz: setup-test ## 200,000 mutated VRM files, as many others and 50,000 motions through the readers, 2,000 through Blender
	$(PY) -m tests.fuzz

.PHONY: fuzz-api
fuzz-api: setup-test ## 300 examples of every REST route by schemathesis (minutes)
	FARM_TEST_API_EXAMPLES=300 $(PY) -m pytest -q tests/api/test_api_schema.py

.PHONY: killed-run
killed-run: setup-test ## A render of 30 models, killed five times at random: the bytes of an undisturbed one (minutes)
	$(PY) -m tests.runs --models 30 --kills 5 --seed $(or $(SEED),1)

.PHONY: annotators
annotators: setup-test ## Ten simulated annotators on one collection for a minute; what was accepted is compared with the store
	FARM_TEST_ANNOTATE_SECONDS=60 $(PY) -m pytest -q -rP tests/api/annotation/test_crowd.py

.PHONY: attack
attack: setup-test ## 300 models that ask for a secret file, and bombs, against a farm; what others get meanwhile (minutes)
	$(PY) -m tests.attack

SECONDS ?= 600
.PHONY: chaos
chaos: setup-test ## Disturb a whole farm at random for SECONDS (600) under SEED (0); ends with one line of counts
	$(PY) -m tests.chaos --seconds $(SECONDS) --seed $(or $(SEED),0)

.PHONY: stress
stress: setup-test ## 100,000 models over REST, a million jobs known, workers that only pretend (minutes, 5 GB)
	$(FARM) stress

.PHONY: overhead
overhead: setup-test ## What API, queue and S3 add to a bare drawing loop (minutes)
	$(PY) -m benchmarks.overhead

.PHONY: export-bench
export-bench: setup-test ## Speed and memory of `farm export` in all layouts, 100,000 small images and less (minutes; makes them first)
	$(PY) -m benchmarks.export

LEARN_PY ?= $(PY)
.PHONY: learn
learn: setup-test ## A small network on the mascots, judged on one it never saw (minutes; LEARN_PY: a Python with torch)
	$(FARM) mascots --out build/learn/models
	$(FARM) render build/learn/models --labels parts --out build/learn/images
	$(LEARN_PY) -m benchmarks.learn build/learn/images

.PHONY: annotation-pictures
annotation-pictures: setup-test ## Take the documentation's pictures of the pages for annotation anew: docs/images (a minute; Chromium)
	$(PY) -m tools.inspection_pictures

.PHONY: dashboards
dashboards: setup-test ## Write the chart's Grafana dashboards (helm/facefarm/dashboards) as tools/dashboards.py describes them
	$(PY) -m tools.dashboards

.PHONY: image-test
image-test: ## Build both container images with buildah, try them and list what they hold: build/sbom (root, network, 8 GB, minutes)
	tests/deployment/kubernetes/build-images.sh

.PHONY: lock
lock: ## Renew the hash-locked requirements
	$(LOCK) --extra flower --output-file requirements/control.txt
	$(LOCK) --extra worker --extra flower --extra embedded --output-file requirements/runtime.txt
	$(LOCK) --extra worker --extra flower --extra embedded --extra dev --output-file requirements/dev.txt

.PHONY: clean
clean: ## Remove everything that was made here
	rm -rf .venv .cache build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
