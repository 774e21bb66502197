# ExpressNet. `make help` lists what there is.
SHELL := /bin/bash
.DEFAULT_GOAL := help

PIPELINE ?= train
DATASET ?= demo
DATA_URI ?=
PRESET ?= small
PROTOCOL ?= honest
OUT ?= out
SEED ?= 52
LIMIT ?= 0
EPOCHS ?= 0
PRECISION ?= float32
MOE ?=
MODEL ?=
BACKBONE_WEIGHTS ?=
BACKBONE_SHA256 ?=
CHECKPOINT_URI ?=
ACCEPT_LICENCE ?=
LABEL_MODE ?= majority
SEVERITIES ?=
COMPARE_WITH ?=
SPLIT_FILE ?=
CROP_MODE ?= auto
PICTURES ?=
SHA256 ?=
INTENDED_USE ?=
PROFILE ?=
CACHE ?= 1
WAIT ?=
DRY_RUN ?=
CHECK ?=
RUN ?=
STEP ?=
ALLOW_TAGS ?=
EXTRA ?= cpu
# The recipes read these from the environment, so that no value is ever taken for shell code.
export PIPELINE DATASET DATA_URI PRESET PROTOCOL OUT SEED LIMIT EPOCHS PRECISION MOE MODEL BACKBONE_WEIGHTS BACKBONE_SHA256 CHECKPOINT_URI INTENDED_USE \
  ACCEPT_LICENCE LABEL_MODE SEVERITIES COMPARE_WITH CROP_MODE SPLIT_FILE SHA256 PROFILE RUN STEP ALLOW_TAGS

PYTHON := .venv/bin/python
READY := .venv/.ready-$(EXTRA)

.PHONY: help setup run test test-slow datasets forget drill-data drill-resume bench-crop bench-data bench-train check format export compile registry tensorboard clean \
  submit status logs cancel compare schedule doctor drill-cache

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  run takes PIPELINE= DATASET= DATA_URI= ACCEPT_LICENCE=1 PRESET= PROTOCOL= LIMIT= LABEL_MODE= SEVERITIES= COMPARE_WITH= CROP_MODE= SPLIT_FILE= PICTURES=1 EPOCHS= PRECISION= MOE= BACKBONE_WEIGHTS= BACKBONE_SHA256= CHECKPOINT_URI= SEED= INTENDED_USE= OUT=;"
	@echo "  $(PYTHON) -m pipelines run --help explains each."

setup: $(READY) ## install what is missing: packages, system libraries, BlazeFace files (EXTRA=cpu|gpu)

$(READY): uv.lock pyproject.toml scripts/setup.sh
	@scripts/setup.sh $(EXTRA)
	@touch $@

# What `run` and `submit` take alike.
SETTINGS = --dataset "$$DATASET" --data-uri "$$DATA_URI" --preset "$$PRESET" \
  --protocol "$$PROTOCOL" --seed "$$SEED" --limit "$$LIMIT" --label-mode "$$LABEL_MODE" --epochs "$$EPOCHS" --precision "$$PRECISION" --moe "$$MOE" \
  --backbone-weights "$$BACKBONE_WEIGHTS" --backbone-sha256 "$$BACKBONE_SHA256" --checkpoint-uri "$$CHECKPOINT_URI" \
  --severities "$$SEVERITIES" --compare-with "$$COMPARE_WITH" --crop-mode "$$CROP_MODE" --split-file "$$SPLIT_FILE" \
  --intended-use "$$INTENDED_USE" $(if $(ACCEPT_LICENCE),--accept-licence) $(if $(PICTURES),--pictures)

run: $(READY) ## run a pipeline on this machine
	@$(PYTHON) -m pipelines run "$$PIPELINE" $(SETTINGS) --out "$$OUT"

datasets: $(READY) ## list the data sets, their layouts, licences and expected counts
	@$(PYTHON) -m pipelines datasets

forget: $(READY) ## erase examples everywhere: SHA256="<hash> ..." of the original files, OUT=
	@set -f; $(PYTHON) -m pipelines forget --out "$$OUT" $$SHA256

test: $(READY) ## run the fast tests
	@$(PYTHON) -m pytest

test-slow: $(READY) ## run the tests that train for minutes or kill whole runs
	@$(PYTHON) -m pytest -m slow

drill-data: $(READY) ## attack the readers and the gate: hostile files, failing downloads, planted defects (10 min)
	@$(PYTHON) -m benchmarks.drill_images
	@$(PYTHON) -m benchmarks.drill_archives
	@$(PYTHON) -m benchmarks.drill_bucket
	@$(PYTHON) -m benchmarks.drill_validation

drill-resume: $(READY) ## kill trainings and let them go on, ours and Keras' way (15 min)
	@$(PYTHON) -m benchmarks.drill_resume

drill-cache: $(READY) ## change a byte and change nothing, 20 times each: what runs again and what is reused (25 min)
	@$(PYTHON) -m benchmarks.drill_cache

bench-crop: $(READY) ## time cropping once against the authors' detection in the training loop (8 min)
	@$(PYTHON) -m benchmarks.bench_crop

bench-train: $(READY) ## time the paper's layers and network against stock TensorFlow, oneDNN on and off (30 min)
	@$(PYTHON) -m benchmarks.bench_input
	@$(PYTHON) -m benchmarks.bench_train

bench-data: $(READY) ## split and check ten million rows and measure time and memory (needs 6 GB of disk, 25 min)
	@$(PYTHON) -m benchmarks.bench_split
	@$(PYTHON) -m benchmarks.bench_validation

check: $(READY) ## lint, types, import contracts
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports

format: $(READY) ## let ruff mend what it can
	@.venv/bin/ruff check --fix --quiet . || true
	@.venv/bin/ruff format --quiet .

export: $(READY) ## write the champion (MODEL=<name> if there are several) as a SavedModel to build/export
	@$(PYTHON) -m pipelines export --name "$$MODEL" --out "$$OUT"

compile: $(READY) ## write the Kubeflow IR of every pipeline to build/pipelines; PROFILE= places it on a cluster
	@$(PYTHON) -m pipelines compile --profile "$$PROFILE"

submit: $(READY) ## run a pipeline on a cluster: what run takes, PROFILE= CACHE=0 WAIT=1 DRY_RUN=1
	@$(PYTHON) -m pipelines submit "$$PIPELINE" $(SETTINGS) --profile "$$PROFILE" \
	  $(if $(filter 0,$(CACHE)),--no-cache) $(if $(WAIT),--wait) $(if $(DRY_RUN),--dry-run)

status: $(READY) ## list the latest runs on the cluster, or the steps of RUN=
	@$(PYTHON) -m pipelines status "$$RUN"

logs: $(READY) ## print what STEP= of RUN= said
	@$(PYTHON) -m pipelines logs "$$RUN" "$$STEP"

cancel: $(READY) ## end RUN=
	@$(PYTHON) -m pipelines cancel "$$RUN"

compare: $(READY) ## show what differs between two runs: RUN="<one> <other>"
	@set -f; $(PYTHON) -m pipelines compare $$RUN

schedule: $(READY) ## make the recurring runs those of k8s/schedules.yaml; CHECK=1 only compares
	@$(PYTHON) -m pipelines schedule --profile "$$PROFILE" $(if $(CHECK),--check)

doctor: $(READY) ## say what of the cluster is ready for PROFILE=, and how to mend the rest
	@$(PYTHON) -m pipelines doctor --profile "$$PROFILE"

registry: $(READY) ## open the registry of OUT in MLflow's web page on this machine
	@MLFLOW_DISABLE_TELEMETRY=true .venv/bin/mlflow ui --backend-store-uri "sqlite:///$$(realpath -m "$$OUT")/mlflow.db" --host 127.0.0.1

tensorboard: $(READY) ## open the training curves of OUT in TensorBoard on this machine
	@.venv/bin/tensorboard --logdir "$$OUT/artifacts" --host localhost

clean: ## delete build results; data, models and registry in OUT stay
	@rm -rf build .pytest_cache .mypy_cache .ruff_cache .hypothesis
