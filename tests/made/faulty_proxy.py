"""A loopback proxy that spoils a share of the downloads from an object store."""

from __future__ import annotations

import http.client
import random
import socket
import struct
import threading
import time
import urllib.parse
from collections import Counter
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

FAULTS = ("503", "reset", "truncated", "flipped", "stall")


class FaultyProxy:
    """Hands requests on to `server_url`; of the downloads it spoils a share, each by one of `faults`.

    Attributes:
        url: where it listens.
        rate: share of the downloads that are spoilt, 0..1; may be changed while it runs.
        downloads: how often each object was asked for.
        served: bytes of content handed on for each object, over all requests.
    """

    def __init__(self, server_url: str, rate: float, seed: int, stall_s: float, faults: Sequence[str] = FAULTS) -> None:
        self._target = urllib.parse.urlparse(server_url)
        self.rate, self._random, self._stall_s, self._faults = rate, random.Random(seed), stall_s, faults
        self.downloads: Counter[str] = Counter()
        self.served: Counter[str] = Counter()
        self._lock = threading.Lock()
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                proxy._answer(self)

            def log_message(self, *arguments: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        """Stops listening."""
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        connection = http.client.HTTPConnection(self._target.hostname or "", self._target.port, timeout=30)
        kept = {name: value for name, value in request.headers.items() if name.lower() in ("range", "accept-encoding")}
        connection.request("GET", request.path, headers=kept)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        is_download = "alt=media" in request.path or request.path.startswith("/download/")
        name = urllib.parse.unquote(request.path.split("?")[0].rsplit("/", 1)[-1])
        fault = ""
        with self._lock:
            if is_download:
                self.downloads[name] += 1
                self.served[name] += len(body)
                fault = self._random.choice(self._faults) if self._random.random() < self.rate else ""
        if fault == "503":
            body = b"try later"
            request.send_response(503)
        else:
            request.send_response(answer.status)
            for header in ("Content-Type", "Content-Range"):
                if answer.getheader(header):
                    request.send_header(header, answer.getheader(header) or "")
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        self._send(request, body, fault)

    def _send(self, request: BaseHTTPRequestHandler, body: bytes, fault: str) -> None:
        half = len(body) // 2
        if fault == "flipped" and body:
            body = body[:half] + bytes([body[half] ^ 1]) + body[half + 1 :]
        try:
            request.wfile.write(body[:half] if fault in ("reset", "truncated", "stall") else body)
            request.wfile.flush()
            if fault == "stall":
                time.sleep(self._stall_s)
            if fault == "reset":
                linger = struct.pack("ii", 1, 0)  # close by RST
                request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        except OSError:
            pass  # the client gave up first
        if fault in ("reset", "truncated", "stall"):
            request.close_connection = True
