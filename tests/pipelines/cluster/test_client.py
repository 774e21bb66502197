"""What a bad connection does: repeat what may be repeated, once; otherwise say what to do."""

import time

import pytest
from kfp_server_api import V2beta1Pipeline

from pipelines.cluster import ClusterError, client, settings
from tests.pipelines.cluster.stand_in import Fault

LIST, CREATE = "GET /apis/v2beta1/runs$", "POST /apis/v2beta1/pipelines$"


def _list():
    with client.connect(settings.read()) as api:
        return api.runs.run_service_list_runs()


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_reading_request_is_repeated_until_the_failure_passes(endpoint, status):
    endpoint.faults.append(Fault(LIST, status, times=3))
    assert _list().runs is None
    assert endpoint.count(LIST) == 4


def test_patience_ends_with_the_count_of_attempts(endpoint):
    endpoint.faults.append(Fault(LIST, 503, body='{"message": "upstream is down"}', times=99))
    with pytest.raises(client.ApiError, match=r"failed, tried 4 times \(HTTP 503: upstream is down\)"):
        _list()
    assert endpoint.count(LIST) == 4


def test_a_writing_request_is_not_repeated_blindly(endpoint):
    endpoint.faults.append(Fault(CREATE, 500, times=9))
    with client.connect(settings.read()) as api, pytest.raises(client.ApiError, match=r"failed, tried 1 times"):
        api.pipelines.pipeline_service_create_pipeline(V2beta1Pipeline(display_name="p", name="p"))
    assert endpoint.count(CREATE) == 1


def test_a_secret_is_not_cut_off_before_it_is_recognised(endpoint, monkeypatch):
    monkeypatch.setenv("SOME_TOKEN", "0123456789" * 4)
    endpoint.faults.append(Fault(LIST, 400, body="x" * 280 + "0123456789" * 4))
    with pytest.raises(client.ApiError, match=r"HTTP 400") as caught:
        _list()
    assert "0123" not in str(caught.value)


def test_the_endpoint_says_how_long_to_wait(endpoint):
    endpoint.faults.append(Fault(LIST, 429, headers={"Retry-After": "1"}))
    started = time.monotonic()
    _list()
    assert time.monotonic() - started >= 1


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (400, r"refused the request \(HTTP 400: bad filter\)"),
        (401, r"refused the credentials \(auth: none\)"),
        (403, r"does not allow this in namespace expressnet. `make doctor` lists what is missing"),
        (404, r"does not have this. Is host: the root of the API"),
        (302, r"sends to a login. Set auth: to dex, iap or token"),
    ],
)
def test_what_will_not_pass_is_said_at_once(endpoint, status, message):
    endpoint.faults.append(Fault(LIST, status, body='{"message": "bad filter"}', times=99))
    with pytest.raises(client.ApiError, match=message):
        _list()
    assert endpoint.count(LIST) == 1


def test_a_login_page_with_status_200_is_no_answer(endpoint):
    endpoint.faults.append(Fault("GET .*healthz", 200, body="<html>sign in</html>", content="text/html"))
    with pytest.raises(ClusterError, match="answered with a web page instead of data, most likely a login"):
        _list()


def test_an_endpoint_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setenv("EXPRESSNET_HOST", "http://127.0.0.1:1")
    with pytest.raises(client.ApiError, match=r"127.0.0.1:1/apis/v2beta1/healthz can't be reached .*tried 4 times"):
        _list()


def test_no_host_at_all_is_said():
    with pytest.raises(ClusterError, match="host is needed: the URL of Kubeflow Pipelines"):
        _list()


def _make(api):
    listed = lambda: api.pipelines.pipeline_service_list_pipelines(filter=client.named("p")).pipelines  # noqa: E731
    return client.find_or_create(
        lambda: listed()[0] if listed() else None,
        lambda: api.pipelines.pipeline_service_create_pipeline(V2beta1Pipeline(display_name="p", name="p")),
    )


@pytest.mark.parametrize("status", [500, 502, 504])
def test_what_was_made_though_the_answer_was_lost_is_not_made_twice(endpoint, status):
    endpoint.faults.append(Fault(CREATE, status, after=True))
    with client.connect(settings.read()) as api:
        _, is_new = _make(api)
    assert not is_new
    assert len(endpoint.pipelines) == endpoint.count(CREATE) == 1


def test_what_was_not_made_is_made_again(endpoint):
    endpoint.faults.append(Fault(CREATE, 500, times=2))
    with client.connect(settings.read()) as api:
        _, is_new = _make(api)
    assert is_new
    assert endpoint.count(CREATE) == 3


def test_making_ends_where_it_is_refused(endpoint):
    endpoint.faults.append(Fault(CREATE, 403, times=9))
    with client.connect(settings.read()) as api, pytest.raises(client.ApiError, match="does not allow this"):
        _make(api)
    assert endpoint.count(CREATE) == 1


def test_a_conflict_with_something_that_cannot_be_found_is_an_error(endpoint):
    endpoint.faults.append(Fault(CREATE, 409, body='{"message": "already exists"}', times=9))
    with client.connect(settings.read()) as api, pytest.raises(client.ApiError, match="already exists"):
        _make(api)
