"""Where the cluster is: a file, overruled by the environment; no secret in the file."""

import pytest

from pipelines.cluster import ClusterError, settings


def test_the_environment_overrules_the_file(tmp_path, monkeypatch):
    (tmp_path / "expressnet.yaml").write_text("host: http://a\nbucket: gs://faces/x/\nnamespace: fer\n")
    monkeypatch.setenv("EXPRESSNET_HOST", "http://b")
    found = settings.read()
    assert (found.host, found.namespace, found.profile) == ("http://b", "fer", "cpu")
    assert found.under_bucket("checkpoints") == "gs://faces/x/checkpoints"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("token: abc", "found was token. Secrets do not belong in a file: set EXPRESSNET_TOKEN"),
        ("hots: http://a", "may hold .*host.*; found was hots"),
        ("host: kubeflow", "host must be a URL such as https://host/pipeline; got 'kubeflow'"),
        ("bucket: s3://b", "bucket must be gs://bucket/prefix; got 's3://b'"),
        ("auth: magic", "auth must be one of none, port-forward, token, dex, iap; got 'magic'"),
        ("auth: iap", "iap_client_id must be set with auth iap"),
        ("namespace: 7", "namespace must be text; got 7"),
        ("- a", "must be a mapping of keys to values"),
        ("a: [", "is not YAML"),
    ],
)
def test_nonsense_is_refused_with_its_value(tmp_path, text, message):
    (tmp_path / "expressnet.yaml").write_text(text)
    with pytest.raises(ClusterError, match=message):
        settings.read()
