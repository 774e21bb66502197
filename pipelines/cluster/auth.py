"""Who we are to the endpoint: nobody, a bearer token, a session of Dex, an identity for Google's proxy."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import threading
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import urlsplit

from pipelines.cluster import ClusterError, confidential
from pipelines.cluster.settings import COOKIE, DEX_PASSWORD, DEX_USERNAME, TOKEN, Settings

_TIMEOUT_S = 30
_FORWARDED = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+)")


class Credentials(NamedTuple):
    """What a request carries; both may be empty."""

    token: str = ""
    cookie: str = ""


def credentials(settings: Settings) -> Credentials:
    """Returns fresh credentials of the kind that `auth` says.

    Raises:
        ClusterError: an environment variable is missing, or the login failed.
    """
    if settings.auth == "token":
        return Credentials(token=_secret(TOKEN, "a bearer token"))
    if settings.auth == "iap":
        return Credentials(token=confidential.remember(_iap_token(settings.iap_client_id)))
    if settings.auth == "dex":
        cookie = os.environ.get(COOKIE) or _dex_session(settings)
        return Credentials(cookie=confidential.remember(cookie))
    return Credentials()


def _secret(variable: str, what: str) -> str:
    value = os.environ.get(variable, "")
    if not value:
        raise ClusterError(f"{what} is needed in the environment variable {variable}, which is empty.")
    return confidential.remember(value)


def _iap_token(client_id: str) -> str:
    from google.auth import exceptions
    from google.auth.transport.requests import Request
    from google.oauth2 import id_token

    try:
        return str(id_token.fetch_id_token(Request(), client_id))
    except exceptions.GoogleAuthError as error:
        raise ClusterError(
            f"No identity token for the proxy's client {client_id}: {confidential.redact(str(error))}. A service "
            "account is needed: set GOOGLE_APPLICATION_CREDENTIALS to its key file, or run on Google Cloud."
        ) from None


def _dex_session(settings: Settings) -> str:
    """Logs in through Dex's form, as a browser would, and returns the cookies."""
    import requests

    login = {"login": _secret(DEX_USERNAME, "a user"), "password": _secret(DEX_PASSWORD, "a password")}
    with requests.Session() as session:
        if settings.ca_file:
            session.verify = settings.ca_file
        try:
            page = session.get(settings.host, timeout=_TIMEOUT_S)
            if urlsplit(page.url).path.endswith("/auth"):  # several ways to log in; ours is the local one
                parts = urlsplit(page.url)
                page = session.get(parts._replace(path=f"{parts.path}/local").geturl(), timeout=_TIMEOUT_S)
            if "/login" not in urlsplit(page.url).path:
                raise ClusterError(
                    f"Dex's login page was expected behind {settings.host}; got {page.url.split('?')[0]}."
                )
            done = session.post(page.url, data=login, timeout=_TIMEOUT_S)
        except requests.RequestException as error:
            raise ClusterError(f"Dex behind {settings.host} can't be reached: {type(error).__name__}.") from None
        if "/login" in urlsplit(done.url).path or not session.cookies:
            raise ClusterError(f"Dex refused the login. Are {DEX_USERNAME} and {DEX_PASSWORD} right?")
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in session.cookies)


@contextlib.contextmanager
def forwarded(settings: Settings) -> Iterator[str]:
    """Yields the URL of the endpoint, with `kubectl port-forward` running behind it where `auth` says so.

    Raises:
        ClusterError: kubectl is missing or failed.
    """
    if settings.auth != "port-forward":
        if not settings.host:
            raise ClusterError("host is needed: the URL of Kubeflow Pipelines, in expressnet.yaml or EXPRESSNET_HOST.")
        yield settings.host.rstrip("/")
        return
    command = ["kubectl", "--namespace", settings.kubeflow_namespace, "port-forward", "service/ml-pipeline", ":8888"]
    try:
        running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    except FileNotFoundError:
        raise ClusterError("auth port-forward needs kubectl, which is not on the PATH.") from None
    with running:
        try:
            assert running.stdout is not None
            said = running.stdout.readline()
            port = _FORWARDED.search(said)
            if not port:
                raise ClusterError(f"kubectl port-forward failed: {said.strip() or 'it said nothing'}.")
            # It goes on to say a line for every connection; a pipe that nobody empties would stop it.
            threading.Thread(target=running.stdout.read, daemon=True).start()
            yield f"http://127.0.0.1:{port[1]}"
        finally:
            running.terminate()
            running.wait()
