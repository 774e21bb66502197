"""A stand-in for Kubeflow Pipelines' REST API, on loopback. It is not Kubeflow.

Paths, requests and responses are those of the generated client (`kfp_server_api`): what arrives must parse as its
models, and what is answered is made of them. Nothing is executed: the test says how a run goes on. Faults can be
planted before an action (it is refused) and after it (it is done, and the answer is lost).
"""

from __future__ import annotations

import contextlib
import datetime
import json
import re
import threading
import types
import urllib.parse
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import kfp_server_api as api
from requests_toolbelt import MultipartDecoder

_CODEC = api.ApiClient()
_PREFIX = "/apis/v2beta1"


class Fault:
    """One planted failure of requests whose `METHOD path` matches a pattern."""

    def __init__(self, pattern, status, *, body="", headers=(), times=1, after=False, content="application/json"):
        self.pattern, self.status, self.body, self.headers = re.compile(pattern), status, body, dict(headers)
        self.times, self.after, self.content = times, after, content


class Endpoint:
    """State and rules of one endpoint."""

    def __init__(self):
        self.pipelines, self.versions, self.experiments, self.runs, self.recurring = {}, {}, {}, {}, {}
        self.packages = {}
        self.course = []  # run states, one for each time somebody asks; the last one stays
        self.faults, self.requests, self.headers = [], [], []
        self.token = self.session = ""
        self.multi_user = False
        self.url = ""

    def count(self, pattern):
        """Returns how many requests matched `METHOD path`."""
        return sum(bool(re.search(pattern, request)) for request in self.requests)


def task(name, state, *, started=0, minutes=1.0, reused=False):
    """Returns what the API says about one step: itself and its executor."""
    start = datetime.datetime(2026, 11, 26, 3, 0, tzinfo=datetime.UTC) + datetime.timedelta(minutes=started)
    end = start + datetime.timedelta(minutes=minutes) if state not in ("RUNNING", "PENDING") else None
    pod = f"pod-{name}"
    executor = api.V2beta1PipelineTaskDetail(
        task_id=pod,
        display_name="executor",
        pod_name=pod,
        state="SKIPPED" if reused else state,
        start_time=start,
        end_time=end,
    )
    child = api.PipelineTaskDetailChildTask(pod_name=pod)
    own = api.V2beta1PipelineTaskDetail(
        task_id=f"task-{name}", display_name=name, state=state, start_time=start, end_time=end, child_tasks=[child]
    )
    driver = api.V2beta1PipelineTaskDetail(task_id=f"driver-{name}", display_name=f"{name}-driver", state="SUCCEEDED")
    return [driver, own, executor]


@contextlib.contextmanager
def running():
    """Yields an endpoint that listens on a free port of this machine."""
    endpoint = Endpoint()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"endpoint": endpoint}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    endpoint.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield endpoint
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    endpoint: Endpoint
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        """Keeps quiet."""

    def _do(self):
        parts = urllib.parse.urlsplit(self.path)
        self.query = dict(urllib.parse.parse_qsl(parts.query))
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        asked = f"{self.command} {parts.path}"
        self.endpoint.requests.append(asked)
        self.endpoint.headers.append({name.lower(): value for name, value in self.headers.items()})
        if self._dex(parts.path):
            return
        if self.endpoint.token and self.headers.get("Authorization") != f"Bearer {self.endpoint.token}":
            self._answer(401, {"message": f"invalid credentials: {self.headers.get('Authorization')}"})
            return
        fault = next((f for f in self.endpoint.faults if f.times and f.pattern.search(asked)), None)
        if fault:
            fault.times -= 1
            if fault.after:
                self._act(parts.path.removeprefix(_PREFIX))
            self._answer(fault.status, fault.body, fault.headers, fault.content)
        else:
            self._answer(*self._act(parts.path.removeprefix(_PREFIX)))

    do_GET = do_POST = do_DELETE = _do

    def _dex(self, path):
        """Plays the proxy in front of a multi-user installation; says whether it took the request."""
        session = self.endpoint.session
        if not session:
            return False
        if path == "/dex/auth":
            self._answer(200, "<html>log in with ...</html>", content="text/html")
        elif path == "/dex/auth/local":
            self._answer(302, headers={"Location": "/dex/auth/local/login?state=x"})
        elif path == "/dex/auth/local/login" and self.command == "GET":
            self._answer(200, "<html><form></form></html>", content="text/html")
        elif path == "/dex/auth/local/login":
            form = dict(urllib.parse.parse_qsl(self.body.decode()))
            good = form == {"login": "user@example.com", "password": "correct-horse"}
            place = "/" if good else "/dex/auth/local/login?state=x"
            headers = {"Location": place} | ({"Set-Cookie": f"oauth2_proxy_kubeflow={session}; Path=/"} if good else {})
            self._answer(303, headers=headers)
        elif f"oauth2_proxy_kubeflow={session}" not in (self.headers.get("Cookie") or ""):
            self._answer(302, headers={"Location": "/dex/auth?state=x"})
        else:
            return False
        return True

    def _act(self, path):
        for method, pattern, action in _ROUTES:
            found = re.fullmatch(pattern, path)
            if found and method == self.command:
                return action(self, *found.groups())
        return (200, "ok") if path == "/" else (404, {"code": 5, "message": f"Not Found: {path}"})

    def _answer(self, status, body="", headers=(), content="application/json"):
        data = body if isinstance(body, str) else json.dumps(_CODEC.sanitize_for_serialization(body))
        self.send_response(status)
        for name, value in {"Content-Type": content, **dict(headers)}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data.encode())))
        self.end_headers()
        self.wfile.write(data.encode())

    def _parsed(self, model):
        return _CODEC.deserialize(types.SimpleNamespace(data=self.body.decode()), model)

    def _selected(self, items):
        predicates = json.loads(self.query.get("filter") or "{}").get("predicates", [])
        for wanted in predicates:
            items = [item for item in items if getattr(item, wanted["key"]) == wanted["stringValue"]]
        return items or None

    def health(self):
        return 200, {"tag_name": "2.17.0", "multi_user": self.endpoint.multi_user, "pipeline_store": "database"}

    def list_pipelines(self):
        return 200, api.V2beta1ListPipelinesResponse(pipelines=self._selected([*self.endpoint.pipelines.values()]))

    def create_pipeline(self):
        made = self._parsed("V2beta1Pipeline")
        if any(known.name == made.name for known in self.endpoint.pipelines.values()):
            return 409, {"code": 6, "message": "already exists"}
        made.pipeline_id = str(uuid.uuid4())
        self.endpoint.pipelines[made.pipeline_id] = made
        return 200, made

    def get_pipeline(self, pipeline_id):
        return 200, self.endpoint.pipelines[pipeline_id]

    def list_versions(self, pipeline_id):
        mine = [version for version in self.endpoint.versions.values() if version.pipeline_id == pipeline_id]
        return 200, api.V2beta1ListPipelineVersionsResponse(pipeline_versions=self._selected(mine))

    def get_version(self, _, version_id):
        return 200, self.endpoint.versions[version_id]

    def upload_version(self):
        (part,) = MultipartDecoder(self.body, self.headers["Content-Type"]).parts
        made = api.V2beta1PipelineVersion(
            pipeline_id=self.query["pipelineid"],
            pipeline_version_id=str(uuid.uuid4()),
            display_name=self.query["name"],
            description=self.query.get("description"),
            tags=json.loads(self.query["tags"]),
        )
        self.endpoint.versions[made.pipeline_version_id] = made
        self.endpoint.packages[made.display_name] = part.text
        return 200, made

    def list_experiments(self):
        found = self._selected([*self.endpoint.experiments.values()])
        return 200, api.V2beta1ListExperimentsResponse(experiments=found)

    def create_experiment(self):
        made = self._parsed("V2beta1Experiment")
        made.experiment_id = str(uuid.uuid4())
        self.endpoint.experiments[made.experiment_id] = made
        return 200, made

    def list_runs(self):
        return 200, api.V2beta1ListRunsResponse(runs=self._selected([*self.endpoint.runs.values()]))

    def create_run(self):
        made = self._parsed("V2beta1Run")
        made.run_id, made.state = str(uuid.uuid4()), "PENDING"
        self.endpoint.runs[made.run_id] = made
        return 200, made

    def get_run(self, run_id):
        run = self.endpoint.runs.get(run_id)
        if run is None:
            return 404, {"code": 5, "message": f"Run {run_id} not found"}
        if self.endpoint.course:
            course = self.endpoint.course
            run.state, tasks = course.pop(0) if len(course) > 1 else course[0]
            run.run_details = api.V2beta1RunDetails(task_details=tasks)
        return 200, run

    def terminate_run(self, run_id):
        self.endpoint.runs[run_id].state = "CANCELING"
        return 200, {}

    def list_recurring(self):
        return 200, api.V2beta1ListRecurringRunsResponse(recurring_runs=[*self.endpoint.recurring.values()] or None)

    def create_recurring(self):
        made = self._parsed("V2beta1RecurringRun")
        made.recurring_run_id, made.status = str(uuid.uuid4()), f"{made.mode}D"
        # As the API's JSON does, which has one kind of number.
        numbers = made.runtime_config.parameters
        made.runtime_config.parameters = {k: float(v) if type(v) is int else v for k, v in numbers.items()}
        self.endpoint.recurring[made.recurring_run_id] = made
        return 200, made

    def delete_recurring(self, recurring_run_id):
        del self.endpoint.recurring[recurring_run_id]
        return 200, {}


_ROUTES = (
    ("GET", "/healthz", _Handler.health),
    ("GET", "/pipelines", _Handler.list_pipelines),
    ("POST", "/pipelines", _Handler.create_pipeline),
    ("POST", "/pipelines/upload_version", _Handler.upload_version),
    ("GET", "/pipelines/([^/]+)", _Handler.get_pipeline),
    ("GET", "/pipelines/([^/]+)/versions", _Handler.list_versions),
    ("GET", "/pipelines/([^/]+)/versions/([^/]+)", _Handler.get_version),
    ("GET", "/experiments", _Handler.list_experiments),
    ("POST", "/experiments", _Handler.create_experiment),
    ("GET", "/runs", _Handler.list_runs),
    ("POST", "/runs", _Handler.create_run),
    ("GET", "/runs/([^/:]+)", _Handler.get_run),
    ("POST", "/runs/([^/:]+):terminate", _Handler.terminate_run),
    ("GET", "/recurringruns", _Handler.list_recurring),
    ("POST", "/recurringruns", _Handler.create_recurring),
    ("DELETE", "/recurringruns/([^/:]+)", _Handler.delete_recurring),
)
