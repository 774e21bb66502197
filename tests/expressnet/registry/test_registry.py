"""One contract, kept over sqlite and over a server on PostgreSQL; and what the stages make of it."""

import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import mlflow
import pytest
from mlflow.exceptions import MlflowException

from expressnet.artifacts.evaluation import Evaluation
from expressnet.commands import reproduce, rollback
from expressnet.config.promote import PromoteConfig
from expressnet.inference import bundle
from expressnet.registry import mlflow_client, registry, sealed_files
from expressnet.runtime import storage
from expressnet.stages import promote, register
from tests import every_page, tools
from tests.made import registry_server

BACKENDS = ("sqlite", pytest.param("postgresql", marks=pytest.mark.slow))


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    tools.require("postgresql")
    with registry_server.running(tmp_path_factory.mktemp("server")) as url:
        yield url


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory):
    """A workspace with MLflow's tables and nothing in them; making them takes seconds."""
    folder = tmp_path_factory.mktemp("empty")
    registry.Registry(folder)
    return folder / "mlflow.db"


def _clear(url):
    client = mlflow.MlflowClient(url, registry_uri=url)
    for model in client.search_registered_models():
        client.delete_registered_model(model.name)
    for experiment in client.search_experiments():
        for run in client.search_runs([experiment.experiment_id]):
            client.delete_run(run.info.run_id)


@pytest.fixture(params=BACKENDS)
def workspace(request, tmp_path, monkeypatch, empty_database):
    """A workspace whose registry is empty."""
    monkeypatch.delenv(mlflow_client.URI_VARIABLE, raising=False)
    if request.param == "sqlite":
        shutil.copy(empty_database, tmp_path / "mlflow.db")
        yield tmp_path
    else:
        url = request.getfixturevalue("server")
        monkeypatch.setenv(mlflow_client.URI_VARIABLE, url)
        yield tmp_path
        _clear(url)


@pytest.fixture
def client(workspace):
    """MLflow's own view of the registry."""
    return mlflow_client.connect(workspace)


def _register(workspace, model_dir, evaluation_dir):
    out = tempfile.mkdtemp(dir=workspace)
    return register.run(str(model_dir), str(evaluation_dir), out, str(workspace)).plain()


@pytest.fixture
def registered(workspace, trained, evaluated):
    """A workspace with one registered model, and its registration."""
    return workspace, _register(workspace, trained[0], evaluated[0])


def _promote(workspace, version, **settings):
    out = tempfile.mkdtemp(dir=workspace)
    return promote.run(version, "", out, str(workspace), PromoteConfig(**settings)).plain()


def _changed_copy(folder, to, name, **changes):
    """Copies a folder and changes values of one of its JSON files."""
    shutil.copytree(folder, to)
    storage.write_json(to / name, {**storage.read_json(to / name), **changes})
    return to


@pytest.fixture
def two_champions(registered, trained, evaluated, tmp_path):
    """A workspace in which a second version has replaced the first; and both registrations."""
    workspace, first = registered
    _promote(workspace, first["version"])
    other = _changed_copy(evaluated[0], tmp_path / "evaluation", "evaluation.json", model_digest="e" * 64)
    second = _register(workspace, trained[0], other)
    models = registry.Registry(workspace)
    record = {
        **models.champion(first["model_name"]),
        **{name: second[name] for name in ("version", "number", "run_id", "model_digest", "files_digest")},
    }
    record = {name: value for name, value in record.items() if name not in ("entry", "entry_sha256")}
    champions = models.champions(first["model_name"])
    champions.swap(expected=champions.current(), new=record, action="promoted", evidence={})
    return workspace, first, second


def test_a_version_is_named_by_day_and_digest_and_holds_the_digests(registered, client, trained):
    workspace, report = registered
    assert report["is_new"]
    assert report["version"].endswith("-" + trained[1]["model_digest"][:8])
    tags = client.get_model_version(report["model_name"], report["number"]).tags
    assert tags["dataset_digest"] == "d" * 64
    assert tags["model_digest"] == trained[1]["model_digest"]
    assert tags["lock_digest"] == storage.file_sha256(Path(registry.__file__).parents[2] / "uv.lock")
    assert re.fullmatch(r"[0-9a-f]{40}\+?", tags["commit"])
    files = registry.Registry(workspace).model_dir(report["run_id"])
    assert (files / "model.keras").read_bytes() == (trained[0] / "model.keras").read_bytes()


def test_evaluation_predictions_and_card_are_stored_with_it(registered, evaluated):
    workspace, report = registered
    models = registry.Registry(workspace)
    evaluation, predictions = models.evaluation(report["run_id"])
    assert evaluation == Evaluation.read(evaluated[0])
    assert len(predictions) == evaluation.num_test
    card = models.text(report["run_id"], registry.CARD_TEXT)
    assert card.startswith(f"# {report['model_name']} {report['version']}")
    assert "| split digest |" in card


def test_the_same_model_again_is_a_no_op(registered, trained, evaluated):
    workspace, first = registered
    again = _register(workspace, trained[0], evaluated[0])
    assert not again["is_new"]
    assert {**again, "is_new": True} == first


def test_what_a_killed_call_left_is_removed_by_the_next(workspace, client, trained, evaluated):
    with pytest.raises((MlflowException, TypeError), match="no number|must be real number"):
        registry.Registry(workspace).register(
            "expressnet-folder",
            "20260101-00000000",
            trained[1]["model_digest"],
            {"model": trained[0]},
            params={},
            metrics={"accuracy": "no number"},
            tags={},
        )
    experiment = client.get_experiment_by_name("expressnet").experiment_id
    assert len(client.search_runs([experiment])) == 1
    report = _register(workspace, trained[0], evaluated[0])
    assert [run.info.run_id for run in client.search_runs([experiment])] == [report["run_id"]]


def test_a_version_is_found_by_its_name(registered):
    workspace, report = registered
    models = registry.Registry(workspace)
    found = models.version(report["version"])
    assert (found.number, found.model_digest) == (report["number"], report["model_digest"])
    assert found == models.version(report["version"], report["model_name"])
    for name, model_name in (("20200101-00000000", ""), ("' or 1=1", ""), (report["version"], "other")):
        with pytest.raises(FileNotFoundError, match=rf"there are {report['model_name']} {report['version']}\."):
            models.version(name, model_name)


def test_the_first_model_becomes_champion_and_the_alias_says_so(registered, client):
    workspace, report = registered
    decision = _promote(workspace, report["version"], intended_use="a test")
    assert decision["promoted"]
    models = registry.Registry(workspace)
    assert models.champion(report["model_name"])["version"] == report["version"]
    assert str(client.get_model_version_by_alias(report["model_name"], "champion").version) == report["number"]
    again = _promote(workspace, report["version"])
    assert (again["promoted"], again["reason"]) == (False, "it is the champion already")
    assert len(models.champions(report["model_name"]).entries()) == 1


def _page(decision):
    return every_page.text(Path(decision["report_path"]).read_text())


def test_the_page_of_a_promotion_names_the_champion_of_its_time(registered, trained, evaluated):
    workspace, report = registered
    first = _page(_promote(workspace, report["version"]))
    assert f"{report['model_name']} had no champion. Promoted: the first model of its name" in first
    assert "Confusion matrix" in first
    again = _page(_promote(workspace, report["version"]))
    assert "this model was champion itself, since 20" in again
    other = _changed_copy(evaluated[0], workspace / "other", "evaluation.json", model_digest="e" * 64)
    bare = _changed_copy(trained[0], workspace / "bare", "provenance.json", licence="")
    second = _register(workspace, bare, other)
    page = _page(_promote(workspace, second["version"]))
    assert f"{report['version']} was champion, since 20" in page
    assert "Not promoted: the model card is incomplete" in page
    assert "Like with like: both were measured on the same frozen test images" in page
    assert page.count("+0.000 (no interval)") == 2
    assert "is not named here" not in page


def test_the_only_champion_needs_no_name(registered):
    workspace, report = registered
    models = registry.Registry(workspace)
    with pytest.raises(FileNotFoundError, match=r"has the champions \(none\); asked for was the only one"):
        models.champion_dir()
    _promote(workspace, report["version"])
    folders = (models.champion_dir(), models.champion_dir(report["model_name"]))
    assert [bundle.digest(folder) for folder in folders] == [report["model_digest"]] * 2
    with pytest.raises(FileNotFoundError, match=f"has the champions {report['model_name']}; asked for was other"):
        models.champion_dir("other")


def test_a_lost_alias_is_healed_by_the_next_promotion(registered, client):
    workspace, report = registered
    _promote(workspace, report["version"])
    client.delete_registered_model_alias(report["model_name"], "champion")
    _promote(workspace, report["version"])
    assert str(client.get_model_version_by_alias(report["model_name"], "champion").version) == report["number"]


def test_a_champion_that_changed_meanwhile_stops_the_swap(registered):
    workspace, report = registered
    _promote(workspace, report["version"])
    champions = registry.Registry(workspace).champions(report["model_name"])
    before = champions.current()
    with pytest.raises(storage.ConflictError, match="Somebody else was first: nobody was champion when"):
        champions.swap(expected=None, new={**before, "version": "mine"}, action="promoted", evidence={})
    assert champions.current() == before


def test_a_promotion_leaves_no_copy_of_a_model_behind(registered, monkeypatch, tmp_path):
    workspace, report = registered
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    _promote(workspace, report["version"])
    registry.Registry(workspace).champion_dir()
    assert list((tmp_path / "tmp").iterdir()) == []
    assert list((workspace / "work").iterdir()) == []


def test_the_head_of_the_history_is_kept_in_mlflow_too(two_champions):
    workspace, first, second = two_champions
    shutil.rmtree(workspace / "registry" / first["model_name"])
    found = registry.Registry(workspace).champions(first["model_name"]).problems()
    assert found == ["entry 2 is not the one that the registry was told of"]


def test_a_rollback_goes_to_the_replaced_one_and_is_recorded(two_champions, client):
    workspace, first, second = two_champions
    with pytest.raises(ValueError, match='needs a reason, which is recorded: REASON="..."; got none'):
        rollback.run(workspace, " ")
    pointer = rollback.run(workspace, "blinks")
    assert (pointer["version"], pointer["previous"], pointer["reason"]) == (
        first["version"],
        second["version"],
        "blinks",
    )
    champions = registry.Registry(workspace).champions(first["model_name"])
    assert [entry["action"] for entry in champions.entries()] == ["promoted", "promoted", "rolled back"]
    assert champions.problems() == []
    assert str(client.get_model_version_by_alias(first["model_name"], "champion").version) == first["number"]
    with pytest.raises(FileNotFoundError, match=rf"there are {second['version']}. The champion .* has nobody before"):
        rollback.run(workspace, "again")
    assert rollback.run(workspace, "it was the light", to=second["version"])["version"] == second["version"]


def test_a_rollback_to_a_damaged_model_is_refused(two_champions):
    workspace, first, _ = two_champions
    models = registry.Registry(workspace)
    before = models.champion(first["model_name"])
    path = models.model_dir(first["run_id"]) / "preprocess.json"
    path.write_text(path.read_text().replace("255", "256"))
    with pytest.raises(sealed_files.DamagedError, match=r"preprocess\.json is not what was registered"):
        rollback.run(workspace, "blinks")
    assert models.champion(first["model_name"]) == before


def test_what_made_a_version_is_told_and_compared(registered):
    workspace, report = registered
    found = reproduce.run(workspace, report["version"])
    assert re.fullmatch("git checkout [0-9a-f]{40}.*", found["commands"][0])
    assert found["commands"][1] == (
        "make run PIPELINE=train DATASET=folder PROTOCOL=honest SEED=1 PRESET=tiny EPOCHS=3 "
        "DATA_URI=<where your copy lies>"
    )
    assert found["is_same"]
    assert found["checks"]["code"].startswith("the same (")
    assert found["checks"]["data"].startswith("not in this workspace; `make run` reads it again")
    assert report["model_digest"] in found["checks"]["weights"]


def _real_faces(workspace, trained, evaluated):
    """Registers the model as one of pictures of people."""
    model_dir = _changed_copy(trained[0], workspace / "real", "provenance.json", real_faces=True)
    return _register(workspace, model_dir, evaluated[0])


def test_a_model_of_real_faces_is_not_promoted_without_a_use(workspace, trained, evaluated):
    report = _real_faces(workspace, trained, evaluated)
    decision = _promote(workspace, report["version"])
    assert (decision["promoted"], decision["reason"]) == (
        False,
        f'intended use is missing; make promote VERSION={report["version"]} INTENDED_USE="..."',
    )
    assert registry.Registry(workspace).champion(report["model_name"]) is None
    assert _promote(workspace, report["version"], intended_use="counting smiles of visitors")["promoted"]
    pointer = workspace / "registry" / report["model_name"] / "champion.json"
    assert json.loads(pointer.read_text())["settings"]["intended_use"] == "counting smiles of visitors"


def test_a_prohibited_use_is_not_promoted_but_elsewhere(registered):
    workspace, report = registered
    decision = _promote(workspace, report["version"], intended_use="attention of students")
    assert not decision["promoted"]
    assert "speaks of students" in decision["reason"]
    excepted = _promote(workspace, report["version"], intended_use="safety of students at a swimming pool")
    assert excepted["promoted"]
    assert "passed for its words safety" in excepted["reason"]


def test_an_incomplete_card_is_not_promoted(workspace, trained, evaluated):
    model_dir = _changed_copy(trained[0], workspace / "bare", "provenance.json", licence="")
    report = _register(workspace, model_dir, evaluated[0])
    decision = _promote(workspace, report["version"])
    assert (decision["promoted"], decision["reason"]) == (
        False,
        "the model card is incomplete, it lacks licence",
    )


# What lies in files is the same for every backend.
sqlite_only = pytest.mark.parametrize("workspace", ["sqlite"], indirect=True)


@sqlite_only
@pytest.mark.parametrize("name", ["model/weights.safetensors", "evaluation/predictions.parquet", "card/card.md"])
def test_a_flipped_byte_is_refused_with_the_name_of_the_file(registered, name):
    workspace, report = registered
    models = registry.Registry(workspace)
    path = models.model_dir(report["run_id"]).parent / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    read = {
        "model": models.model_dir,
        "evaluation": models.evaluation,
        "card": lambda run_id: models.text(run_id, registry.CARD_TEXT),
    }[name.partition("/")[0]]
    with pytest.raises(sealed_files.DamagedError, match=f"{name} is not what was registered"):
        read(report["run_id"])


@sqlite_only
def test_a_champion_whose_files_are_gone_is_named(registered):
    workspace, report = registered
    shutil.rmtree(workspace / "mlartifacts")
    with pytest.raises(FileNotFoundError, match=f"files of {report['model_name']} {report['version']} .*Was the works"):
        registry.Registry(workspace).model_dir(report["run_id"])


def test_a_database_that_was_left_half_made_is_made_anew(tmp_path):
    (tmp_path / "mlflow.db.partial").write_bytes(b"SQLite format 3, and no more")
    assert registry.Registry(tmp_path).find("expressnet-demo", "0" * 64) is None
    assert not (tmp_path / "mlflow.db.partial").exists()


def test_two_processes_may_open_a_new_registry_at_once(tmp_path):
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-c",
        "import sys; from expressnet.registry.registry import Registry; "
        "Registry(sys.argv[1]).find('expressnet-demo', '0' * 64)",
        str(tmp_path),
    ]
    processes = [subprocess.Popen(command) for _ in range(2)]
    assert [process.wait() for process in processes] == [0, 0]


@pytest.mark.parametrize(
    ("uri", "error", "message"),
    [
        ("sqlite:///mine.db", ValueError, "must be the http:// or https:// address .*; got sqlite:"),
        ("postgresql://me:secret@db/mlflow", ValueError, "; got postgresql://db/mlflow"),
        ("http://me:secret@127.0.0.1:9", ConnectionError, r"server http://127\.0\.0\.1:9 \(MLFLOW_TRACKING_URI\)"),
    ],
)
def test_a_server_that_is_none_is_said_without_its_password(tmp_path, monkeypatch, uri, error, message):
    monkeypatch.setenv(mlflow_client.URI_VARIABLE, uri)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(error, match=message) as caught:
        registry.Registry(tmp_path)
    assert "secret" not in str(caught.value)
    assert not (tmp_path / "mlflow.db").exists()
