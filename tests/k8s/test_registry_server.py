"""The commands of the MLflow server and of its backup, as the manifests have them, against a real PostgreSQL."""

import contextlib
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tests import tools

pytestmark = pytest.mark.slow
PASSWORD = "0123456789abcdef"
_BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _container(render, kind):
    objects = {one["kind"]: one for one in render("onprem") if one["kind"] in ("Deployment", "CronJob")}
    spec = objects[kind]["spec"]
    spec = spec["jobTemplate"]["spec"] if kind == "CronJob" else spec
    return spec["template"]["spec"]["containers"][0]


def _environment(container, known):
    """Returns the variables of a container; `known` are those that the cluster fills in."""
    found = dict(known)
    for entry in container["env"]:
        if "value" in entry:
            found[entry["name"]] = re.sub(r"\$\((\w+)\)", lambda match: found[match[1]], entry["value"])
    return found


@pytest.fixture(scope="module")
def postgres():
    """The port of a PostgreSQL with the user, the password and the database of the StatefulSet."""
    tools.require("postgresql")
    # Not in pytest's folder, which only root may enter.
    with tempfile.TemporaryDirectory(prefix="expressnet-postgres-") as folder, _running(Path(folder)) as found:
        yield found


@contextlib.contextmanager
def _running(folder):
    port = _free_port()
    owner = "postgres" if os.getuid() == 0 else None  # it refuses to run as root
    folder.chmod(0o777)
    (folder / "password").write_text(PASSWORD)

    def run(name, *arguments):
        subprocess.run([_BINARIES[-1] / name, *arguments], user=owner, check=True, capture_output=True, cwd=folder)

    run(
        "initdb",
        f"--pgdata={folder}/data",
        "--username=expressnet",
        f"--pwfile={folder}/password",
        "--auth-local=scram-sha-256",
        "--auth-host=scram-sha-256",
        "--data-checksums",
    )
    options = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={folder}"
    run("pg_ctl", "start", f"--pgdata={folder}/data", "--wait", "-o", options, f"--log={folder}/log")
    environment = {
        **os.environ,
        "PGPASSWORD": PASSWORD,
        "PGHOST": "127.0.0.1",
        "PGPORT": str(port),
        "PGUSER": "expressnet",
        "PATH": f"{_BINARIES[-1]}:{os.environ['PATH']}",
    }
    subprocess.run(["createdb", "mlflow"], env=environment, check=True)
    yield port, environment
    run("pg_ctl", "stop", f"--pgdata={folder}/data", "--mode=fast")


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory):
    """The folder that stands for the server's volume."""
    return tmp_path_factory.mktemp("artifacts")


@pytest.fixture(scope="module")
def server(render, postgres, artifacts, tmp_path_factory):
    """The address of an MLflow server that runs what the Deployment says."""
    folder, port = tmp_path_factory.mktemp("mlflow"), _free_port()
    container = _container(render, "Deployment")
    environment = _environment(container, {"POSTGRES_PASSWORD": PASSWORD, "POD_NAMESPACE": "expressnet"})
    uri = environment["MLFLOW_BACKEND_STORE_URI"].replace("expressnet-postgres:5432", f"127.0.0.1:{postgres[0]}")
    environment["MLFLOW_SERVER_ALLOWED_HOSTS"] += f",127.0.0.1:{port}"
    command = [str(Path(sys.executable).with_name("mlflow")), *container["command"][1:]]
    command = [part.replace("0.0.0.0", "127.0.0.1").replace("--port=5000", f"--port={port}") for part in command]
    environment |= {
        "MLFLOW_BACKEND_STORE_URI": uri,
        "MLFLOW_ARTIFACTS_DESTINATION": str(artifacts),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, env={**os.environ, **environment}, stdout=log, stderr=log)
    try:
        _wait_for(f"http://127.0.0.1:{port}/health", process, folder / "log")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=30)


def _wait_for(address, process, log):
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()[-3000:]
        with contextlib.suppress(OSError), urllib.request.urlopen(address, timeout=5) as answer:
            assert answer.read() == b"OK"
            return
        time.sleep(0.5)
    raise AssertionError(log.read_text()[-3000:])


@pytest.fixture(scope="module")
def registered(server, tmp_path_factory):
    """A model version, made through the server as a step would."""
    client = MlflowClient(server)
    run = client.create_run(client.create_experiment("expressnet"))
    weights = tmp_path_factory.mktemp("model") / "weights.bin"
    weights.write_bytes(bytes(range(256)))
    client.log_artifact(run.info.run_id, str(weights), "model")
    client.create_registered_model("expressnet-demo")
    client.create_model_version("expressnet-demo", f"{run.info.artifact_uri}/model", run.info.run_id)
    return client, run


def test_files_go_to_their_place_and_come_back_through_the_server(registered, artifacts, tmp_path):
    client, run = registered
    assert run.info.artifact_uri.startswith("mlflow-artifacts:")
    found = client.download_artifacts(run.info.run_id, "model/weights.bin", str(tmp_path))
    assert Path(found).read_bytes() == bytes(range(256))
    assert [path.name for path in artifacts.rglob("*") if path.is_file()] == ["weights.bin"]


@pytest.mark.parametrize(
    ("host", "status"),
    [("mlflow:5000", 200), ("mlflow.expressnet.svc:5000", 200), ("attacker.example:5000", 403)],
)
def test_the_server_answers_to_its_own_names_only(server, host, status):
    assert _status(f"{server}/api/2.0/mlflow/experiments/search?max_results=1", host) == status


def _status(address, host):
    try:
        with urllib.request.urlopen(urllib.request.Request(address, headers={"Host": host}), timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def _back_up(render, environment, folder, database):
    container = _container(render, "CronJob")
    known = _environment(container, {}) | {"BACKUP_DIR": str(folder), "PGHOST": "127.0.0.1", "PGDATABASE": database}
    return subprocess.run(
        container["command"], env={**environment, **known}, capture_output=True, text=True, timeout=120, check=False
    )


def test_a_backup_restores_the_registry(render, postgres, registered, tmp_path):
    _, environment = postgres
    old = tmp_path / "mlflow-20200101T000000Z.dump"
    old.write_bytes(b"")
    os.utime(old, (1e9, 1e9))
    done = _back_up(render, environment, tmp_path, "mlflow")
    assert done.returncode == 0, done.stderr
    (dump,) = tmp_path.iterdir()  # the old one is gone, and nothing unfinished is left
    subprocess.run(["createdb", "restored"], env=environment, check=True)
    subprocess.run(
        ["pg_restore", "--clean", "--if-exists", "--no-owner", "--exit-on-error", "--dbname=restored", dump],
        env=environment,
        check=True,
    )
    query = ["psql", "--tuples-only", "--no-align", "--command", "select name, version, run_id from model_versions"]
    answers = [
        subprocess.run([*query, "--dbname", name], env=environment, check=True, capture_output=True).stdout
        for name in ("mlflow", "restored")
    ]
    assert answers[0] == answers[1]
    assert answers[0].startswith(b"expressnet-demo|1|")


@pytest.mark.parametrize("database", ["postgres", "nowhere"])
def test_a_dump_that_holds_nothing_is_no_backup(render, postgres, tmp_path, database):
    done = _back_up(render, postgres[1], tmp_path, database)
    assert done.returncode != 0
    assert list(tmp_path.iterdir()) == []
