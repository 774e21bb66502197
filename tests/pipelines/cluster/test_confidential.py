"""A secret of the environment turns up nowhere: in no output, no upload, no error."""

import pytest

from pipelines.__main__ import main
from pipelines.cluster import ClusterError, confidential
from tests.pipelines.cluster.stand_in import Fault, task

CANARY = "canary-7f3a9c51-never-to-be-seen"


@pytest.fixture
def guarded(endpoint, monkeypatch):
    """An endpoint that wants the canary as token, which lies in several variables."""
    endpoint.token = CANARY
    monkeypatch.setenv("EXPRESSNET_AUTH", "token")
    for name in ("EXPRESSNET_TOKEN", "EXPRESSNET_DEX_PASSWORD", "MLFLOW_TRACKING_PASSWORD", "HF_TOKEN"):
        monkeypatch.setenv(name, CANARY)
    return endpoint


def test_the_canary_is_in_no_output_ir_parameter_or_error(guarded, capsys):
    guarded.course = [("FAILED", [*task("ingest", "FAILED")])]
    submit = ["submit", "train", "--dataset", "demo", "--preset", "tiny"]
    assert main([*submit, "--dry-run"]) == 0
    assert main([*submit, "--wait"]) == 1
    assert main(["status"]) == 0
    echo = f'{{"message": "token {CANARY} has expired"}}'
    for status in (401, 500):
        guarded.faults.append(Fault("POST .*/runs$", status, body=echo, times=9))
        assert main(submit) == 1
        guarded.faults.clear()
    said = "".join(capsys.readouterr())
    assert "[secret]" in said
    sent = [*guarded.packages.values(), *map(str, guarded.runs.values()), *map(str, guarded.versions.values())]
    assert guarded.runs
    assert CANARY not in said
    assert not [text for text in sent if CANARY in text]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("api_key", "x"),
        ("hf_token", "x"),
        ("data_uri", "https://me:hunter2@host/faces"),
        ("data_uri", "https://storage.test/o?X-Goog-Signature=abc"),
        ("intended_use", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2ln"),
        ("intended_use", "-----BEGIN RSA PRIVATE KEY-----"),
        ("intended_use", "AKIAIOSFODNN7EXAMPLE"),
        ("intended_use", f"see {CANARY}"),
    ],
)
def test_a_parameter_that_looks_like_a_secret_is_refused_without_repeating_it(monkeypatch, name, value):
    monkeypatch.setenv("SOME_SECRET", CANARY)
    with pytest.raises(ClusterError, match=f"Parameter {name} looks like a secret") as caught:
        confidential.refuse({"dataset": "demo", name: value})
    assert value not in str(caught.value).replace(name, "")


def test_usual_parameters_pass(monkeypatch):
    monkeypatch.setenv("SOME_TOKEN", "true")
    confidential.refuse(
        {
            "data_uri": "gs://bucket/a-b_c",
            "seed": 52,
            "pictures": True,
            "severities": "copies=off",
            "backbone_sha256": "0" * 64,
            "intended_use": "courses, at universities",
        }
    )


def test_a_submit_with_a_secret_asks_nobody(endpoint, capsys, monkeypatch):
    monkeypatch.setenv("SOME_PASSWORD", CANARY)
    assert main(["submit", "train", "--dataset", "demo", "--intended-use", f"password {CANARY}"]) == 1
    assert CANARY not in "".join(capsys.readouterr())
    assert endpoint.requests == []
