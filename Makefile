# ExpressNet. `make help` lists what there is.
SHELL := /bin/bash
.DEFAULT_GOAL := help

PIPELINE ?= train
EXTRA ?= cpu
# A command takes its variables from the environment, so that no value is ever taken for shell code, and is told which
# of them stand on this command line, so that it can refuse a misspelt one.
export PIPELINE
export EXPRESSNET_GIVEN := $(foreach name,$(.VARIABLES),$(if $(filter command,$(origin $(name))),$(name)))

PYTHON := .venv/bin/python
EXPRESSNET := $(PYTHON) -m pipelines --make
READY := .venv/.ready-$(EXTRA)

.PHONY: help setup run retrain predict serve promote rollback champion history reproduce matrix test test-slow datasets forget \
  images test-images submit status logs cancel compare schedule doctor drill-data drill-labels drill-resume drill-promotion drill-cache \
  bench-crop bench-data bench-train bench-eval bench-predict check format docs export compile registry tensorboard clean

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  docs/options.md lists the variables of each, as does $(PYTHON) -m pipelines run train --help."

setup: $(READY) ## install what is missing: packages, system libraries, BlazeFace files (EXTRA=cpu|gpu)

$(READY): uv.lock pyproject.toml scripts/setup.sh
	@scripts/setup.sh $(EXTRA)
	@touch $@

run: $(READY) ## run a pipeline on this machine: PIPELINE=train|retrain|predict|promote DATASET= DATA_URI= PRESET= ...
	@$(EXPRESSNET) run "$$PIPELINE"

retrain: $(READY) ## run PIPELINE=retrain: nothing to do, or a challenger of what changed; MIN_NEW= WARM_START=1 ON_DRIFT=go|stop
	@$(EXPRESSNET) run retrain

predict: $(READY) ## predict the photographs of INPUT=<folder, file, archive or gs://...> with the champion
	@$(EXPRESSNET) predict

serve: $(READY) ## open a page on this machine that answers for a dropped photograph (PORT=)
	@$(EXPRESSNET) serve

promote: $(READY) ## let a registered model through the gate: VERSION= INTENDED_USE= JURISDICTION=eu|none MODEL= OUT=
	@$(EXPRESSNET) promote

rollback: $(READY) ## make an earlier champion the champion again: REASON= TO=<version> MODEL= OUT=
	@$(EXPRESSNET) rollback

champion: $(READY) ## show who is champion, for what, on which evidence: MODEL= OUT=
	@$(EXPRESSNET) champion

history: $(READY) ## list all champions and check that nobody changed the list: MODEL= OUT=
	@$(EXPRESSNET) history

reproduce: $(READY) ## print the commands that reproduce a version, and check code, packages and data: VERSION= MODEL= OUT=
	@$(EXPRESSNET) reproduce

export: $(READY) ## write the champion (MODEL=<name> if there are several) as SavedModel and TFLite to build/export
	@$(EXPRESSNET) export

matrix: $(READY) ## evaluate MODELS="<champion or folder> ..." on each other's test splits, and on DATA="<output of split> ..."
	@$(EXPRESSNET) matrix

datasets: $(READY) ## list the data sets, their layouts, licences and expected counts
	@$(EXPRESSNET) datasets

forget: $(READY) ## erase examples everywhere: SHA256="<hash> ..." of the original files, OUT=
	@$(EXPRESSNET) forget

# A process per processor; a test that waits for another program lets the next one work.
TESTS := $(PYTHON) -m pytest --numprocesses $$(nproc) --dist worksteal

test: $(READY) ## run the fast tests
	@$(TESTS)

test-slow: $(READY) ## run the tests that train for minutes or kill whole runs
	@$(TESTS) -m slow

drill-data: $(READY) ## attack the readers and the gate: hostile files, failing downloads, planted defects (10 min)
	@$(PYTHON) -m benchmarks drill_images drill_archives drill_bucket drill_validation

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
	@$(PYTHON) -m benchmarks bench_input bench_train

bench-predict: $(READY) ## time predictions against the package fer on the same photographs (10 min, 4 GB)
	@$(PYTHON) -m benchmarks.bench_predict

bench-data: $(READY) ## split and check ten million rows and measure time and memory (needs 6 GB of disk, 25 min)
	@$(PYTHON) -m benchmarks bench_split bench_validation

check: $(READY) ## lint, types, import contracts
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports

format: $(READY) ## let ruff fix what it can
	@.venv/bin/ruff check --fix --quiet . || true
	@.venv/bin/ruff format --quiet .

docs: $(READY) ## write docs/options.md anew from the settings
	@$(PYTHON) -m pipelines.cli.reference

compile: $(READY) ## write the Kubeflow IR of every pipeline to build/pipelines; PROFILE= places it on a cluster
	@$(EXPRESSNET) compile

submit: $(READY) ## run a pipeline on a cluster: what run takes, PROFILE= CACHE=0 WAIT=1 DRY_RUN=1
	@$(EXPRESSNET) submit "$$PIPELINE"

status: $(READY) ## list the latest runs on the cluster, or the steps of RUN=
	@$(EXPRESSNET) status

logs: $(READY) ## print what STEP= of RUN= said
	@$(EXPRESSNET) logs

cancel: $(READY) ## end RUN=
	@$(EXPRESSNET) cancel

compare: $(READY) ## show what differs between two runs: RUN="<one> <other>"
	@$(EXPRESSNET) compare

schedule: $(READY) ## make the recurring runs those of k8s/schedules.yaml; CHECK=1 only compares
	@$(EXPRESSNET) schedule

doctor: $(READY) ## check what of the cluster is ready for PROFILE=, and how to repair the rest
	@$(EXPRESSNET) doctor

images: $(READY) ## build the container images; PUSH=1 REGISTRY=..., GPU=1: TensorFlow with CUDA
	@$(PYTHON) -m images.build $(if $(PUSH),--push "$$REGISTRY") $(if $(GPU),--gpu)

test-images: $(READY) ## build the images and run the train pipeline in them (Docker, or root on Debian 12; 15 min, 15 GB)
	@$(PYTHON) -m pytest -m docker tests/images

registry: $(READY) ## open the registry of OUT in MLflow's web page on this machine
	@MLFLOW_DISABLE_TELEMETRY=true .venv/bin/mlflow ui --backend-store-uri "sqlite:///$$(realpath -m "$${OUT:-out}")/mlflow.db" --host 127.0.0.1

tensorboard: $(READY) ## open the training curves of OUT in TensorBoard on this machine
	@.venv/bin/tensorboard --logdir "$${OUT:-out}/artifacts" --host localhost

clean: ## delete build results; data, models and registry in OUT stay
	@rm -rf build .pytest_cache .mypy_cache .ruff_cache .hypothesis
