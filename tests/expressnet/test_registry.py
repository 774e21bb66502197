import json
import shutil
import subprocess
import sys

import mlflow
import pytest

from expressnet import bundle, config, promote, register, registry, storage


@pytest.fixture
def registered(trained, evaluated, tmp_path):
    """A workspace with one registered model, and its registration."""
    out = tmp_path / "registration"
    report = register.run(str(trained[0]), str(evaluated[0]), str(out), str(tmp_path))
    return tmp_path, report


def _promote(workspace, crops_and_split, evaluation, name, **settings):
    return promote.run(
        "unused without a champion", crops_and_split[1], str(evaluation), str(workspace / "registration"),
        str(workspace / name), str(workspace), config.PromoteConfig(**settings),
    )  # fmt: skip


def test_a_version_is_named_by_day_and_digest_and_holds_the_digests(registered, trained):
    workspace, report = registered
    assert report["is_new"]
    assert report["version"].endswith("-" + trained[1]["model_digest"][:8])
    version = mlflow.MlflowClient(f"sqlite:///{workspace / 'mlflow.db'}").get_model_version(
        report["model_name"], report["number"]
    )
    assert version.tags["dataset_digest"] == "d" * 64
    assert version.tags["model_digest"] == trained[1]["model_digest"]
    files = registry.Registry(workspace).model_dir(report["run_id"])
    assert (files / "model.keras").read_bytes() == (trained[0] / "model.keras").read_bytes()


def test_the_same_model_again_is_a_no_op(registered, trained, evaluated):
    workspace, first = registered
    again = register.run(str(trained[0]), str(evaluated[0]), str(workspace / "again"), str(workspace))
    assert not again["is_new"]
    assert {**again, "is_new": True} == first


def test_the_first_model_becomes_champion_and_the_alias_says_so(registered, crops_and_split, evaluated):
    workspace, report = registered
    decision = _promote(workspace, crops_and_split, evaluated[0], "promotion", intended_use="a test")
    assert decision["promoted"]
    models = registry.Registry(workspace)
    assert models.champion(report["model_name"])["version"] == report["version"]
    client = mlflow.MlflowClient(f"sqlite:///{workspace / 'mlflow.db'}")
    assert str(client.get_model_version_by_alias(report["model_name"], "champion").version) == report["number"]
    again = _promote(workspace, crops_and_split, evaluated[0], "promotion again")
    assert (again["promoted"], again["reason"]) == (False, "it is the champion already")


def test_the_only_champion_needs_no_name(registered, crops_and_split, evaluated):
    workspace, report = registered
    models = registry.Registry(workspace)
    with pytest.raises(FileNotFoundError, match=r"has the champions \(none\); asked for was the only one"):
        models.champion_dir()
    _promote(workspace, crops_and_split, evaluated[0], "promotion")
    folders = (models.champion_dir(), models.champion_dir(report["model_name"]))
    assert [bundle.digest(folder) for folder in folders] == [report["model_digest"]] * 2
    with pytest.raises(FileNotFoundError, match=f"has the champions {report['model_name']}; asked for was other"):
        models.champion_dir("other")


def test_a_database_that_was_left_half_made_is_made_anew(tmp_path):
    (tmp_path / "mlflow.db.partial").write_bytes(b"SQLite format 3, and no more")
    assert registry.Registry(tmp_path).find("expressnet-demo", "0" * 64) is None
    assert not (tmp_path / "mlflow.db.partial").exists()


def test_two_processes_may_open_a_new_registry_at_once(tmp_path):
    command = [sys.executable, "-W", "ignore", "-c", "import sys; from expressnet.registry import Registry; "
               "Registry(sys.argv[1]).find('expressnet-demo', '0' * 64)", str(tmp_path)]  # fmt: skip
    processes = [subprocess.Popen(command) for _ in range(2)]
    assert [process.wait() for process in processes] == [0, 0]


def test_a_lost_alias_is_healed_from_the_pointer(registered, crops_and_split, evaluated):
    workspace, report = registered
    _promote(workspace, crops_and_split, evaluated[0], "promotion")
    client = mlflow.MlflowClient(f"sqlite:///{workspace / 'mlflow.db'}")
    client.delete_registered_model_alias(report["model_name"], "champion")
    registry.Registry(workspace).heal_alias(report["model_name"])
    assert str(client.get_model_version_by_alias(report["model_name"], "champion").version) == report["number"]


def test_a_champion_that_changed_meanwhile_stops_the_swap(registered, crops_and_split, evaluated):
    workspace, report = registered
    _promote(workspace, crops_and_split, evaluated[0], "promotion")
    models = registry.Registry(workspace)
    before = models.champion(report["model_name"])
    with pytest.raises(storage.ConflictError, match="changed by somebody else"):
        models.set_champion(report["model_name"], expected=None, new={**before, "version": "mine"})
    assert models.champion(report["model_name"]) == before


def test_a_champion_whose_files_are_gone_is_named(registered):
    workspace, report = registered
    shutil.rmtree(workspace / "mlartifacts")
    with pytest.raises(FileNotFoundError, match="champion's files"):
        registry.Registry(workspace).model_dir(report["run_id"])


def test_a_promotion_records_what_the_model_is_for(registered, crops_and_split, evaluated):
    workspace, report = registered
    _promote(workspace, crops_and_split, evaluated[0], "promotion", intended_use="counting smiles of puppets")
    pointer = workspace / "registry" / report["model_name"] / "champion.json"
    assert json.loads(pointer.read_text())["settings"]["intended_use"] == "counting smiles of puppets"
