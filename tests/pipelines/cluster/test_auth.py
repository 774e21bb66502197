"""Every way to say who we are, and what is said when it does not work."""

import base64
import json
import os
import time

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from pipelines.cluster import ClusterError, client, settings
from tests.pipelines.cluster.stand_in import Fault


def _health():
    with client.connect(settings.read()) as api:
        return api.server_version()


@pytest.fixture
def dex(endpoint, monkeypatch):
    """An endpoint behind a login form."""
    endpoint.session = "session-of-the-day"
    monkeypatch.setenv("EXPRESSNET_AUTH", "dex")
    monkeypatch.setenv("EXPRESSNET_DEX_USERNAME", "user@example.com")
    monkeypatch.setenv("EXPRESSNET_DEX_PASSWORD", "correct-horse")
    return endpoint


def test_no_auth_sends_no_credentials(endpoint):
    assert _health() == "2.17.0"
    assert not [headers for headers in endpoint.headers if {"authorization", "cookie"} & set(headers)]


def test_a_token_is_sent_as_a_bearer(endpoint, monkeypatch):
    endpoint.token = "the-right-token"
    monkeypatch.setenv("EXPRESSNET_AUTH", "token")
    monkeypatch.setenv("EXPRESSNET_TOKEN", "the-right-token")
    assert _health() == "2.17.0"


def test_a_missing_token_is_said_before_anything_is_sent(endpoint, monkeypatch):
    monkeypatch.setenv("EXPRESSNET_AUTH", "token")
    with pytest.raises(ClusterError, match="a bearer token is needed in the environment variable EXPRESSNET_TOKEN"):
        _health()
    assert endpoint.requests == []


def test_a_wrong_token_is_refused_and_not_repeated_to_the_reader(endpoint, monkeypatch):
    endpoint.token = "the-right-token"
    monkeypatch.setenv("EXPRESSNET_AUTH", "token")
    monkeypatch.setenv("EXPRESSNET_TOKEN", "the-wrong-token")
    with pytest.raises(client.ApiError, match=r"invalid credentials: Bearer \[secret\]") as caught:
        _health()
    assert "the-wrong-token" not in str(caught.value)


def test_dex_is_logged_in_to_through_its_form(dex):
    assert _health() == "2.17.0"


def test_a_dex_cookie_needs_no_login(dex, monkeypatch):
    monkeypatch.setenv("EXPRESSNET_COOKIE", "oauth2_proxy_kubeflow=session-of-the-day")
    assert _health() == "2.17.0"
    assert dex.count("/dex/") == 0


def test_a_wrong_dex_password_is_said(dex, monkeypatch):
    monkeypatch.setenv("EXPRESSNET_DEX_PASSWORD", "wrong-horse")
    with pytest.raises(ClusterError, match="Dex refused the login. Are EXPRESSNET_DEX_USERNAME and"):
        _health()


def test_a_session_that_ended_is_renewed(dex):
    dex.faults.append(Fault("GET .*/runs$", 401))
    with client.connect(settings.read()) as api:
        assert api.runs.run_service_list_runs().runs is None
    assert dex.count("POST /dex/auth/local/login") == 2


def test_a_login_page_is_missed_where_there_is_none(endpoint, monkeypatch):
    monkeypatch.setenv("EXPRESSNET_AUTH", "dex")
    monkeypatch.setenv("EXPRESSNET_DEX_USERNAME", "user@example.com")
    monkeypatch.setenv("EXPRESSNET_DEX_PASSWORD", "correct-horse")
    with pytest.raises(ClusterError, match="Dex's login page was expected behind http://127.0.0.1"):
        _health()


def _key_file(path, token_uri):
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    info = {
        "type": "service_account",
        "client_email": "ci@example.test",
        "token_uri": token_uri,
        "private_key": key.decode(),
        "private_key_id": "1",
        "project_id": "p",
    }
    path.write_text(json.dumps(info))


def _jwt():
    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return f"{part({'alg': 'RS256'})}.{part({'exp': int(time.time()) + 3600, 'aud': 'proxy'})}.c2ln"


def test_googles_proxy_gets_an_identity_token_for_its_client(endpoint, tmp_path, monkeypatch):
    _key_file(tmp_path / "key.json", f"{endpoint.url}/token")
    identity = _jwt()
    endpoint.faults.append(Fault("POST /token", 200, body=json.dumps({"id_token": identity})))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "key.json"))
    monkeypatch.setenv("EXPRESSNET_AUTH", "iap")
    monkeypatch.setenv("EXPRESSNET_IAP_CLIENT_ID", "proxy")
    assert _health() == "2.17.0"
    assert endpoint.headers[-1]["authorization"] == f"Bearer {identity}"


def test_a_proxy_without_a_service_account_is_explained(endpoint, tmp_path, monkeypatch):
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    monkeypatch.setenv("EXPRESSNET_AUTH", "iap")
    monkeypatch.setenv("EXPRESSNET_IAP_CLIENT_ID", "proxy")
    with pytest.raises(ClusterError, match="No identity token for the proxy's client proxy: .*GOOGLE_APPLICATION"):
        _health()


def _kubectl(folder, script, monkeypatch):
    folder.mkdir()
    (folder / "kubectl").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "kubectl").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    monkeypatch.setenv("EXPRESSNET_AUTH", "port-forward")
    monkeypatch.delenv("EXPRESSNET_HOST", raising=False)


def test_a_port_forward_lives_as_long_as_the_connection(endpoint, tmp_path, monkeypatch):
    port = endpoint.url.rpartition(":")[2]
    script = (
        f'echo "$@" > {tmp_path}/asked; echo $$ > {tmp_path}/pid; '
        f'echo "Forwarding from 127.0.0.1:{port} -> 8888"; exec sleep 60'
    )
    _kubectl(tmp_path / "bin", script, monkeypatch)
    assert _health() == "2.17.0"
    assert (tmp_path / "asked").read_text() == "--namespace kubeflow port-forward service/ml-pipeline :8888\n"
    with pytest.raises(ProcessLookupError, match="No such process"):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_a_port_forward_that_fails_says_what_kubectl_said(tmp_path, monkeypatch):
    _kubectl(tmp_path / "bin", "echo 'Error: services \"ml-pipeline\" not found' >&2; exit 1", monkeypatch)
    with pytest.raises(ClusterError, match='kubectl port-forward failed: Error: services "ml-pipeline" not found'):
        _health()
