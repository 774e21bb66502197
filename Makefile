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
XLA ?=
CLASS_WEIGHTS ?= 0
CROP_CACHE ?= 1
MOE ?=
MODEL ?=
MODELS ?=
DATA ?=
BACKBONE_WEIGHTS ?=
BACKBONE_SHA256 ?=
CHECKPOINT_URI ?=
REGISTRY ?=
ACCEPT_LICENCE ?=
LABEL_MODE ?= majority
SEVERITIES ?=
COMPARE_WITH ?=
SPLIT_FILE ?=
CROP_MODE ?= auto
PICTURES ?=
SHA256 ?=
INTENDED_USE ?=
JURISDICTION ?= eu
INPUT ?=
VERSION ?=
TO ?=
REASON ?=
GALLERY ?=
PORT ?=
PROFILE ?=
CACHE ?= 1
WAIT ?=
DRY_RUN ?=
CHECK ?=
RUN ?=
STEP ?=
ALLOW_TAGS ?=
MIN_NEW ?=
WARM_START ?=
ON_DRIFT ?=
EXTRA ?= cpu
# The recipes read these from the environment, so that no value is ever taken for shell code.
export PIPELINE DATASET DATA_URI PRESET PROTOCOL OUT SEED LIMIT EPOCHS PRECISION CLASS_WEIGHTS MOE MODEL MODELS DATA BACKBONE_WEIGHTS BACKBONE_SHA256 CHECKPOINT_URI INTENDED_USE \
  ACCEPT_LICENCE LABEL_MODE SEVERITIES COMPARE_WITH CROP_MODE SPLIT_FILE SHA256
export INPUT VERSION PORT JURISDICTION TO REASON REGISTRY PROFILE RUN STEP ALLOW_TAGS MIN_NEW ON_DRIFT

PYTHON := .venv/bin/python
READY := .venv/.ready-$(EXTRA)

.PHONY: help setup run run-train retrain predict serve promote rollback champion history reproduce matrix test test-slow datasets forget \
  images test-images submit status logs cancel compare schedule doctor drill-data drill-labels drill-resume drill-promotion drill-cache \
  bench-crop bench-data bench-train bench-eval bench-predict check format export compile registry tensorboard clean

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  run takes PIPELINE= DATASET= DATA_URI= ACCEPT_LICENCE=1 PRESET= PROTOCOL= LIMIT= LABEL_MODE= SEVERITIES= COMPARE_WITH= CROP_MODE= SPLIT_FILE= PICTURES=1 EPOCHS= PRECISION= XLA=1 CLASS_WEIGHTS= CROP_CACHE=0 MOE= BACKBONE_WEIGHTS= BACKBONE_SHA256= CHECKPOINT_URI= SEED= INTENDED_USE= JURISDICTION= OUT=;"
	@echo "  $(PYTHON) -m pipelines run --help explains each."
	@echo "  predict takes INPUT= MODEL= VERSION= GALLERY=1 OUT=; serve takes MODEL= VERSION= PORT= OUT="

setup: $(READY) ## install what is missing: packages, system libraries, BlazeFace files (EXTRA=cpu|gpu)

$(READY): uv.lock pyproject.toml scripts/setup.sh
	@scripts/setup.sh $(EXTRA)
	@touch $@

# What `run` and `submit` take alike.
SETTINGS = --dataset "$$DATASET" --data-uri "$$DATA_URI" --preset "$$PRESET" \
  --protocol "$$PROTOCOL" --seed "$$SEED" --limit "$$LIMIT" --label-mode "$$LABEL_MODE" --epochs "$$EPOCHS" --precision "$$PRECISION" \
  --class-weights "$$CLASS_WEIGHTS" --moe "$$MOE" $(if $(XLA),--xla) $(if $(filter 0,$(CROP_CACHE)),--no-crop-cache) \
  --backbone-weights "$$BACKBONE_WEIGHTS" --backbone-sha256 "$$BACKBONE_SHA256" --checkpoint-uri "$$CHECKPOINT_URI" \
  --severities "$$SEVERITIES" --compare-with "$$COMPARE_WITH" --crop-mode "$$CROP_MODE" --split-file "$$SPLIT_FILE" \
  --intended-use "$$INTENDED_USE" --jurisdiction "$$JURISDICTION" $(if $(ACCEPT_LICENCE),--accept-licence) $(if $(PICTURES),--pictures) \
  $(if $(MIN_NEW),--min-new "$$MIN_NEW") $(if $(filter-out 0,$(WARM_START)),--warm-start) $(if $(ON_DRIFT),--on-drift "$$ON_DRIFT")

run: $(if $(filter predict promote,$(PIPELINE)),$(PIPELINE),run-train) ## run a pipeline on this machine

run-train: $(READY)
	@$(PYTHON) -m pipelines run "$$PIPELINE" $(SETTINGS) --out "$$OUT"

retrain: ## run PIPELINE=retrain: nothing to do, or a challenger of what changed; MIN_NEW= WARM_START=1 ON_DRIFT=go|stop
	@$(MAKE) --no-print-directory run PIPELINE=retrain

predict: $(READY) ## predict the photographs of INPUT=<folder, file, archive or gs://...> with the champion
	@$(PYTHON) -m pipelines predict --model "$$MODEL" --version "$$VERSION" --out "$$OUT" $(if $(GALLERY),--gallery) -- "$$INPUT"

serve: $(READY) ## open a page on this machine that answers for a dropped photograph (PORT=)
	@$(PYTHON) -m pipelines serve --model "$$MODEL" --version "$$VERSION" --out "$$OUT" $(if $(PORT),--port "$$PORT")

promote: $(READY) ## let a registered model through the gate: VERSION= INTENDED_USE= JURISDICTION=eu|none MODEL= OUT=
	@$(PYTHON) -m pipelines promote --version "$$VERSION" --intended-use "$$INTENDED_USE" \
	  --jurisdiction "$$JURISDICTION" --name "$$MODEL" --out "$$OUT"

rollback: $(READY) ## make an earlier champion the champion again: REASON= TO=<version> MODEL= OUT=
	@$(PYTHON) -m pipelines rollback --reason "$$REASON" --to "$$TO" --name "$$MODEL" --out "$$OUT"

champion: $(READY) ## say who is champion, for what, on which evidence: MODEL= OUT=
	@$(PYTHON) -m pipelines champion --name "$$MODEL" --out "$$OUT"

history: $(READY) ## list all champions and check that nobody changed the list: MODEL= OUT=
	@$(PYTHON) -m pipelines history --name "$$MODEL" --out "$$OUT"

reproduce: $(READY) ## print what makes a version again and check code, packages and data: VERSION= MODEL= OUT=
	@$(PYTHON) -m pipelines reproduce --version "$$VERSION" --name "$$MODEL" --out "$$OUT"

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

drill-labels: $(READY) ## plant wrong labels among real FER-2013 rows and look for them, by MODEL_DIR= if given (5 min)
	@$(PYTHON) -m benchmarks.drill_labels $(if $(MODEL_DIR),--model "$(MODEL_DIR)")

drill-resume: $(READY) ## kill trainings and let them go on, ours and Keras' way (15 min)
	@$(PYTHON) -m benchmarks.drill_resume

drill-promotion: $(READY) ## race, kill, tamper with and simulate promotions, on sqlite and on PostgreSQL (25 min)
	@$(PYTHON) -m benchmarks.drill_promotion

drill-cache: $(READY) ## change a byte and change nothing, 20 times each: what runs again and what is reused (25 min)
	@$(PYTHON) -m benchmarks.drill_cache

bench-crop: $(READY) ## time cropping once against the authors' detection in the training loop (8 min)
	@$(PYTHON) -m benchmarks.bench_crop

bench-eval: $(READY) ## time intervals and report against scikit-learn in a loop of resamples (1 min)
	@$(PYTHON) -m benchmarks.bench_eval

bench-train: $(READY) ## time input, layers and network against their peers, oneDNN on and off (installs grain; 30 min)
	@.tools/bin/uv sync --quiet --frozen --inexact --extra $(EXTRA) --group dev --group bench
	@$(PYTHON) -m benchmarks.bench_input
	@$(PYTHON) -m benchmarks.bench_train

bench-predict: $(READY) ## time predictions against the package fer on the same photographs (10 min, 4 GB)
	@$(PYTHON) -m benchmarks.bench_predict

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

export: $(READY) ## write the champion (MODEL=<name> if there are several) as SavedModel and TFLite to build/export
	@$(PYTHON) -m pipelines export --name "$$MODEL" --out "$$OUT"

matrix: $(READY) ## evaluate MODELS="<champion or folder> ..." on each other's test splits, and on DATA="<output of split> ..."
	@set -f; $(PYTHON) -m pipelines matrix --out "$$OUT" $$MODELS $${DATA:+--data $$DATA}

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

images: $(READY) ## build the container images; PUSH=1 REGISTRY=..., GPU=1: TensorFlow with CUDA
	@$(PYTHON) -m images.build $(if $(PUSH),--push "$$REGISTRY") $(if $(GPU),--gpu)

test-images: $(READY) ## build the images and run the train pipeline in them (Docker, or root on Debian 12; 15 min, 15 GB)
	@$(PYTHON) -m pytest -m docker tests/images

registry: $(READY) ## open the registry of OUT in MLflow's web page on this machine
	@MLFLOW_DISABLE_TELEMETRY=true .venv/bin/mlflow ui --backend-store-uri "sqlite:///$$(realpath -m "$$OUT")/mlflow.db" --host 127.0.0.1

tensorboard: $(READY) ## open the training curves of OUT in TensorBoard on this machine
	@.venv/bin/tensorboard --logdir "$$OUT/artifacts" --host localhost

clean: ## delete build results; data, models and registry in OUT stay
	@rm -rf build .pytest_cache .mypy_cache .ruff_cache .hypothesis
