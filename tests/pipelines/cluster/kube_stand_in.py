"""A stand-in for the parts of the Kubernetes API that the commands read, on loopback. It is not Kubernetes.

Objects are JSON as the API server would send them; what is missing is 404. The client, its kubeconfig and its models
are the real ones.
"""

import contextlib
import json
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import yaml

REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


class Cluster:
    """What the API server knows: path to object, and the rights of the user."""

    def __init__(self):
        self.objects, self.denied, self.refused = {}, set(), set()

    def add(self, path, **content):
        self.objects[path] = content

    def add_list(self, path, *items):
        self.objects[path] = {"items": list(items)}


@contextlib.contextmanager
def running(kubeconfig):
    """Yields a cluster; writes the file that names it."""
    cluster = Cluster()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"cluster": cluster}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    name = {"name": "here"}
    kubeconfig.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "here",
                "clusters": [{**name, "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}],
                "contexts": [{**name, "context": {"cluster": "here", "user": "here"}}],
                "users": [{**name, "user": {}}],
            }
        )
    )
    try:
        yield cluster
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    cluster: Cluster

    def log_message(self, *_):
        """Keeps quiet."""

    def do_GET(self):
        parts = urllib.parse.urlsplit(self.path)
        selector = dict(urllib.parse.parse_qsl(parts.query)).get("labelSelector", "")
        found = self.cluster.objects.get(parts.path)
        if parts.path in self.cluster.refused:
            self._answer(403, {"reason": "Forbidden"})
        elif found is None:
            self._answer(404, {"reason": "NotFound"})
        else:
            wanted = dict(pair.split("=") for pair in selector.split(",") if pair)
            if "items" in found:
                found = {"items": [item for item in found["items"] if _labelled(item, wanted)]}
            self._answer(200, found)

    def do_POST(self):
        review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert self.path == REVIEWS
        asked = review["spec"]["resourceAttributes"]
        resource = "/".join(filter(None, (asked["resource"], asked.get("subresource"))))
        self._answer(201, {**review, "status": {"allowed": f"{asked['verb']} {resource}" not in self.cluster.denied}})

    def do_HEAD(self):
        self.send_response(200 if self.path in self.cluster.objects else 404)
        self.end_headers()

    def _answer(self, status, content):
        text = content.get("log")
        data = (text if text is not None else json.dumps(content)).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain" if text is not None else "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def _labelled(item, wanted):
    labels = item.get("metadata", {}).get("labels", {})
    return all(labels.get(key) == value for key, value in wanted.items())
