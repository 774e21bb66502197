"""The images, built by a real engine and run by it; `make test-images`."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from images import build
from images.requirements import IMAGES, ROOT
from tests.images.in_containers import ARGUMENTS

pytestmark = pytest.mark.docker
ENGINE_DIR = ROOT / "build" / "docker-engine"  # kept, so that a second time little is built
ENGINE_SCRIPT = ROOT / "scripts" / "docker_engine.sh"
DIGESTS = {
    "ingest": ["dataset_digest"],
    "crop": ["crops_digest"],
    "split": ["split_digest"],
    "train": ["model_digest"],
    "evaluate": ["accuracy", "macro_f1", "num_test"],
}


def _run(*command, timeout=1800, **options):
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False, **options)


@pytest.fixture(scope="module")
def engine():
    """The engine that DOCKER_HOST names or that answers anyway; otherwise one of our own, for as long as the tests."""
    if shutil.which("docker") and _run("docker", "version").returncode == 0:
        yield
        return
    # To a file, because the engine keeps the output open.
    log = ROOT / "build" / "engine.log"
    log.parent.mkdir(exist_ok=True)
    with log.open("w") as output:
        started = subprocess.run(
            [ENGINE_SCRIPT, "start", ENGINE_DIR, build.PYTHON_IMAGE], stdout=output, stderr=output, check=False
        )
    assert started.returncode == 0, log.read_text()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOCKER_HOST", f"unix://{ENGINE_DIR}/docker.sock")
        patch.setenv("PATH", f"{os.environ['PATH']}:{ENGINE_DIR}/root/usr/bin")
        yield
    subprocess.run([ENGINE_SCRIPT, "stop", ENGINE_DIR], check=True)


@pytest.fixture(scope="module")
def built(engine):
    """The images under the tags of the components."""
    done = _run(sys.executable, "-m", "images.build", cwd=ROOT, timeout=3600)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


@pytest.fixture(scope="module")
def runs(built, tmp_path_factory):
    """The summaries of the same pipeline as processes of this machine and as containers."""
    out = tmp_path_factory.mktemp("runs")
    options = [part for name, value in ARGUMENTS.items() for part in (f"--{name.replace('_', '-')}", str(value))]
    here = _run(sys.executable, "-m", "pipelines", "run", "train", "--out", out / "processes", *options, cwd=ROOT)
    assert here.returncode == 0, here.stdout + here.stderr
    threads = {"TF_NUM_INTEROP_THREADS": "2", "TF_NUM_INTRAOP_THREADS": "1"} if os.cpu_count() == 2 else {}
    there = _run(
        sys.executable, "-m", "tests.images.in_containers", out / "containers", cwd=ROOT, env={**os.environ, **threads}
    )
    assert there.returncode == 0, there.stdout[-5000:] + there.stderr[-5000:]
    processes = next((out / "processes" / "runs").iterdir()) / "run_summary.json"
    containers = out / "containers" / "run" / "run_summary.json"
    return json.loads(processes.read_text()), json.loads(containers.read_text()), out / "containers"


def _in(image, *command, options=()):
    done = _run("docker", "run", "--rm", "--network=none", "--read-only", "--tmpfs=/tmp", *options, image, *command)
    return done.returncode, (done.stdout + done.stderr).strip()


def test_containers_give_the_same_digests_and_figures_as_processes(runs):
    processes, containers, _ = runs
    assert containers["state"] == processes["state"] == "SUCCEEDED"
    assert list(containers["stages"]) == list(processes["stages"])
    for stage, names in DIGESTS.items():
        reports = [summary["stages"][stage]["report"] for summary in (containers, processes)]
        assert {name: reports[0][name] for name in names} == {name: reports[1][name] for name in names}


def test_what_a_step_writes_belongs_to_the_images_user(runs):
    files = [path for path in runs[2].rglob("*") if path.is_file()]
    assert len(files) > 30
    assert {path.stat().st_uid for path in files} == {10001}


@pytest.mark.parametrize("image", IMAGES, ids=lambda image: image.name)
def test_an_image_is_what_it_says(built, image):
    found = json.loads(_run("docker", "image", "inspect", image.tag).stdout)[0]["Config"]
    assert not found["Entrypoint"]
    assert found["User"] == "10001:10001"
    commit = _run("git", "rev-parse", "HEAD", cwd=ROOT).stdout.strip()
    assert len(found["Labels"]["org.opencontainers.image.revision"].removesuffix("-dirty")) == len(commit)
    assert _in(image.tag, "id", "-u") == (0, "10001")


@pytest.mark.parametrize("image", IMAGES, ids=lambda image: image.name)
def test_no_image_has_a_compiler_or_a_package_manager_in_its_environment(built, image):
    looking = "for tool in cc gcc g++ clang make; do command -v $tool; done; ls /opt/venv/bin | grep -x pip; true"
    assert _in(image.tag, "sh", "-c", looking) == (0, "")


def test_the_data_image_has_no_tensorflow_and_the_training_image_has(built):
    probe = "import importlib.util as u; print([n for n in ('tensorflow', 'keras', 'mlflow') if u.find_spec(n)])"
    data, registry, train = (_in(image.tag, "python", "-c", probe) for image in IMAGES)
    assert data == (0, "[]")
    assert registry == (0, "['mlflow']")
    assert train == (0, "['tensorflow', 'keras', 'mlflow']")


def test_a_failing_step_has_an_exit_code(built):
    assert _in(IMAGES[0].tag, "python", "-c", "raise SystemExit(3)")[0] == 3


def test_a_second_build_does_nothing(built):
    started = time.monotonic()
    done = _run(sys.executable, "-m", "images.build", cwd=ROOT)
    assert done.stdout.count("is up to date") == len(IMAGES)
    assert "built, not pushed" in done.stdout
    assert time.monotonic() - started < 60


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _answer(address, *, timeout_s=90):
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            with urllib.request.urlopen(address, timeout=5) as answer:
                return answer.read().decode()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)


def test_the_registry_image_serves_mlflow_from_a_read_only_root(built):
    port = _free_port()
    command = ["mlflow", "server", "--host=127.0.0.1", f"--port={port}", "--workers=1", "--serve-artifacts"]
    storage = ["--backend-store-uri=sqlite:////tmp/mlflow.db", "--artifacts-destination=/tmp/artifacts"]
    container = _run(
        "docker",
        "run",
        "--detach",
        "--rm",
        "--network=host",
        "--read-only",
        "--tmpfs=/tmp",
        "--env=MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false",
        IMAGES[1].tag,
        *command,
        *storage,
    )
    assert container.returncode == 0, container.stderr
    try:
        assert _answer(f"http://127.0.0.1:{port}/health") == "OK"
    finally:
        _run("docker", "stop", "--time=5", container.stdout.strip())


@pytest.fixture
def loopback_registry(engine, tmp_path):
    """A registry of this machine, Debian's docker-registry."""
    binary = shutil.which("docker-registry") or str(ENGINE_DIR / "root" / "usr" / "bin" / "docker-registry")
    if not Path(binary).exists():
        pytest.skip("no docker-registry: apt-get install docker-registry")
    port = _free_port()
    settings = {
        "version": 0.1,
        "storage": {"filesystem": {"rootdirectory": str(tmp_path / "registry")}},
        "http": {"addr": f"127.0.0.1:{port}"},
    }
    (tmp_path / "registry.json").write_text(json.dumps(settings))
    with (tmp_path / "registry.log").open("w") as log:
        process = subprocess.Popen([binary, "serve", tmp_path / "registry.json"], stdout=log, stderr=log)
    try:
        _answer(f"http://127.0.0.1:{port}/v2/")
        yield f"127.0.0.1:{port}/faces"
    finally:
        process.terminate()
        process.wait(timeout=30)


@pytest.fixture
def images_of_others(built):
    """What is mirrored, pulled; where that is impossible, one of our images stands in under its name for a while."""
    lent = []
    for source in build.MIRRORED.values():
        if _run("docker", "image", "inspect", source).returncode and _run("docker", "pull", source).returncode:
            assert _run("docker", "tag", IMAGES[1].tag, source).returncode == 0
            lent.append(source)
    yield
    for source in lent:
        assert _run("docker", "rmi", source).returncode == 0


def test_a_push_writes_the_digests_that_the_registry_gave(images_of_others, loopback_registry, tmp_path):
    clone = tmp_path / "clone"
    assert _run("git", "clone", "--quiet", ROOT, clone).returncode == 0
    for name in (".tools", ".models"):
        (clone / name).symlink_to((ROOT / name).resolve())
    pushed = _run(
        sys.executable,
        "-m",
        "images.build",
        "--push",
        loopback_registry,
        cwd=clone,
        env={**os.environ, "PYTHONPATH": str(clone)},
    )
    assert pushed.returncode == 0, pushed.stdout[-3000:] + pushed.stderr[-3000:]
    lock = json.loads((clone / "images.lock.json").read_text())
    assert lock["commit"] == _run("git", "rev-parse", "HEAD", cwd=clone).stdout.strip()
    assert set(lock["images"]) == {"python-data", "python-train", "python-registry", "postgres"}
    for name, reference in lock["images"].items():
        repository, sha256 = reference.split("@")
        assert repository == f"{loopback_registry}/{name}"
        host, path = repository.split("/", 1)
        manifest = json.loads(_answer(f"http://{host}/v2/{path}/manifests/{sha256}"))
        assert manifest["schemaVersion"] == 2
        assert f"digest: {sha256}" in (clone / "k8s" / "images" / "kustomization.yaml").read_text()
    dirty = clone / "expressnet" / "crop.py"
    dirty.write_text(dirty.read_text() + "\n")
    refused = _run(
        sys.executable,
        "-m",
        "images.build",
        "--push",
        loopback_registry,
        cwd=clone,
        env={**os.environ, "PYTHONPATH": str(clone)},
    )
    assert refused.returncode == 1
    assert "must be traceable to a commit, and 1 files differ from it: expressnet/stages/crop.py" in refused.stderr
    assert json.loads((clone / "images.lock.json").read_text()) == lock
