"""The connection to Kubeflow's REST API: patience, retries, and errors that say what to do."""

from __future__ import annotations

import contextlib
import json
import random
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import kfp_server_api
import urllib3
from kfp_server_api.exceptions import ApiException

from pipelines.cluster import ClusterError, auth, confidential
from pipelines.cluster.settings import Settings

WAITS_S = (0.5, 1.0, 2.0, 4.0, 8.0)
_TIMEOUTS_S = (5, 60)  # to connect, to be answered
_LONGEST_RETRY_AFTER_S = 60.0
_LONGEST_SAID = 300  # characters
_UNREACHED = 0
# Nothing was done when these came back; after any other failure a POST may have been.
_REFUSED_AT_THE_DOOR = (429, 503)
_PASSING = (429, 500, 502, 503, 504, _UNREACHED)
_CONFLICT = 409
_EQUALS = 1

_Found = TypeVar("_Found")


class ApiError(ClusterError):
    """A request that failed for good.

    Attributes:
        status: of HTTP; 0 if nobody answered.
    """

    def __init__(self, message: str, status: int):
        super().__init__(message)
        self.status = status


class _Client(kfp_server_api.ApiClient):
    """Kubeflow's generated client with time-outs, retries and another tone."""

    def __init__(self, configuration: kfp_server_api.Configuration, settings: Settings):
        self._settings = settings
        super().__init__(configuration)
        self._authorize()

    def _authorize(self) -> None:
        given = auth.credentials(self._settings)
        self.cookie = given.cookie or None
        if given.token:
            self.configuration.api_key["authorization"] = given.token
            self.configuration.api_key_prefix["authorization"] = "Bearer"

    def request(self, method: str, url: str, **arguments: Any) -> Any:
        """Sends a request, again after failures that pass, once more with a new login after a 401."""
        arguments["_request_timeout"] = arguments.get("_request_timeout") or _TIMEOUTS_S
        renewed = False
        waits = [*WAITS_S]
        while True:
            try:
                return _json_only(super().request(method, url, **arguments), url)
            except (ApiException, urllib3.exceptions.HTTPError) as error:
                status = getattr(error, "status", _UNREACHED) or _UNREACHED
                if status == 401 and self._settings.auth in ("dex", "iap") and not renewed:
                    self._renew(arguments)
                    renewed = True
                    continue
                if not waits or not _may_repeat(method, status, error):
                    tried = len(WAITS_S) - len(waits) + 1
                    raise ApiError(_explained(self._settings, url, status, error, tried), status) from None
                wait_s = waits.pop(0) * random.uniform(0.8, 1.2)
                time.sleep(_retry_after_s(error) or wait_s)

    def _renew(self, arguments: dict[str, Any]) -> None:
        self._authorize()
        headers = arguments.get("headers") or {}
        self.update_params_for_auth(headers, [], ["Bearer"])
        if self.cookie:
            headers["Cookie"] = self.cookie
        arguments["headers"] = headers


def _json_only(response: Any, url: str) -> Any:
    """Refuses a page for people: a proxy's login comes with status 200."""
    if "text/html" in (response.getheaders().get("Content-Type") or ""):
        raise ApiError(
            f"{url.split('?')[0]} answered with a web page instead of data, most likely a login. Set auth: to dex, iap "
            "or token, or host: to the API itself (it often ends in /pipeline).",
            302,
        )
    return response


def _may_repeat(method: str, status: int, error: Exception) -> bool:
    if isinstance(error, urllib3.exceptions.NewConnectionError) or status in _REFUSED_AT_THE_DOOR:
        return True
    return method in ("GET", "DELETE") and status in _PASSING and not isinstance(error, urllib3.exceptions.SSLError)


def _retry_after_s(error: Exception) -> float:
    headers = getattr(error, "headers", None) or {}
    value = str(headers.get("Retry-After", ""))
    return min(float(value), _LONGEST_RETRY_AFTER_S) if value.isdigit() else 0.0


def _explained(settings: Settings, url: str, status: int, error: Exception, tried: int) -> str:
    place = url.split("?")[0]
    said = _said(error)
    if status == _UNREACHED:
        hint = "Is host: right, the VPN on, the port-forward running?"
        return f"{place} can't be reached ({type(error).__name__}: {said}), tried {tried} times. {hint}"
    reasons = {
        302: "sends to a login. Set auth: to dex, iap or token",
        401: f"refused the credentials (auth: {settings.auth}). Is the secret set, right and not expired?",
        403: f"does not allow this in namespace {settings.namespace}. `make doctor` lists what is missing",
        404: "does not have this. Is host: the root of the API (it often ends in /pipeline), and the id right?",
        429: f"is busy, {tried} times in a row. Try again later",
    }
    reason = reasons.get(status, f"failed, tried {tried} times" if status in _PASSING else "refused the request")
    return f"{place} {reason} (HTTP {status}{': ' + said if said else ''})."


def _said(error: Exception) -> str:
    """Returns the server's own words, without secrets, shortened."""
    body = getattr(error, "body", None)
    if body is None:
        return confidential.redact(str(getattr(error, "reason", None) or error))[:_LONGEST_SAID]
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else str(body)
    with contextlib.suppress(ValueError, AttributeError):
        found = json.loads(text)
        text = str(found.get("message") or found.get("error") or text)
    # A secret that is cut off would not be known any more.
    return "" if "<html" in text.lower() else confidential.redact(text.strip())[:_LONGEST_SAID]


class Api:
    """The services of one endpoint."""

    def __init__(self, host: str, settings: Settings):
        configuration = kfp_server_api.Configuration(host=host)
        # Redirects and repetitions are decided above, not in the pool.
        configuration.retries = False
        if settings.ca_file:
            configuration.ssl_ca_cert = settings.ca_file
        client = _Client(configuration, settings)
        self._client = client
        self.host = host
        self.runs = kfp_server_api.RunServiceApi(client)
        self.experiments = kfp_server_api.ExperimentServiceApi(client)
        self.pipelines = kfp_server_api.PipelineServiceApi(client)
        self.uploads = kfp_server_api.PipelineUploadServiceApi(client)
        self.recurring = kfp_server_api.RecurringRunServiceApi(client)
        self.health = kfp_server_api.HealthzServiceApi(client).healthz_service_get_healthz()
        # Only a multi-user endpoint knows namespaces.
        self.namespace = settings.namespace if self.health.multi_user else None

    def server_version(self) -> str:
        """Returns the endpoint's release, "" if it keeps that to itself."""
        # The generated model drops these two.
        path, headers = "/apis/v2beta1/healthz", {"Accept": "application/json"}
        found = self._client.call_api(
            path,
            "GET",
            header_params=headers,
            response_type="object",
            auth_settings=["Bearer"],
            _return_http_data_only=True,
        )
        return str(found.get("tag_name") or found.get("commit_sha") or "")

    def link(self, place: str) -> str:
        """Returns the address of a page of the run view."""
        return f"{self.host}/#/{place}"


@contextlib.contextmanager
def connect(settings: Settings) -> Iterator[Api]:
    """Yields the endpoint after it said that it is well.

    Raises:
        ClusterError: it can't be reached or refuses us.
    """
    with auth.forwarded(settings) as host:
        yield Api(host, settings)


def named(name: str) -> str:
    """Returns the filter for resources that are displayed under this name."""
    return json.dumps({"predicates": [{"operation": _EQUALS, "key": "display_name", "stringValue": name}]})


def scope(api: Api) -> dict[str, str]:
    """Returns the namespace as an argument of a list, nothing where the endpoint knows none."""
    return {"namespace": api.namespace} if api.namespace else {}


def find_or_create(find: Callable[[], _Found | None], create: Callable[[], _Found]) -> tuple[_Found, bool]:
    """Makes something that exists once, also where the answer to its making was lost.

    Returns:
        It, and whether it is new.

    Raises:
        ApiError: it can be neither found nor made.
    """
    waits = [*WAITS_S]
    while (found := find()) is None:
        try:
            return create(), True
        except ApiError as error:
            lost = error.status in _PASSING and waits
            if not lost and error.status != _CONFLICT:
                raise
            if error.status == _CONFLICT and find() is None:
                raise
            time.sleep(waits.pop(0) if lost else 0)
    return found, False
