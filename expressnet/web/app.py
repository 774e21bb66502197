"""A page on this machine: drop a photograph, see the face, the probabilities and which experts answered.

Nothing is stored and nothing leaves the machine: it listens on 127.0.0.1 only, keeps a photograph in memory for as long
as the answer takes, and its page may load nothing from elsewhere.
"""

from __future__ import annotations

import math
import socket
import threading
from pathlib import Path
from typing import Any

import numpy as np
import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from expressnet.config.predict import ServeConfig
from expressnet.imaging import decoders
from expressnet.inference import photograph, prediction_table
from expressnet.model import expressnet
from expressnet.registry import chosen_model
from expressnet.registry.notices import AI_ACT_NOTE
from expressnet.runtime import templates, workers
from expressnet.runtime.worker_process import Job

HOST = "127.0.0.1"
# Of a page elsewhere whose name was made to lead here (DNS rebinding), the Host header has that other name.
_HOST_NAMES = [HOST, "localhost"]
_PAGE = Path(__file__).parent / "page"
_TEMPLATES = templates.environment(_PAGE)
_FILES = ("page.css", "page.js", "icon.svg")
_MIXTURES = {
    "Over the fused features": ("expression_gates", expressnet.EXPRESSION_MOE),
    "Over the first extractor": ("cnn_gates", expressnet.CNN_MOE),
}
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Refused(Exception):
    """A request that gets no answer; `status` is that of HTTP, the message is for people."""

    def __init__(self, status: int, message: str):
        super().__init__(message)
        self.status = status


class Oracle:
    """Answers for one photograph at a time: decoded in a process with limits, predicted in this one."""

    def __init__(self, chosen: chosen_model.Chosen, config: ServeConfig):
        self._model = chosen.model
        self._lock = threading.Lock()
        job = Job(photograph.see, photograph.start, (chosen.crop,), config.timeout_s, photograph.MEMORY_BYTES)
        self._eyes = workers.Standby(job)
        self._eyes.ask(b"")  # waits until it has started, or says why it can't
        size_px = self._model.preprocess.size_px
        self._model.predict(np.zeros((1, size_px, size_px, 3), np.uint8))  # the first call takes seconds

    def answer(self, data: bytes) -> dict[str, Any]:
        """Returns what the page shows.

        Raises:
            Refused: the bytes are no image that we take.
        """
        with self._lock:
            seen = self._eyes.ask(data)
            problem = seen.reason if isinstance(seen, workers.Failure) else seen.problem
            if problem:
                status = 415 if problem == decoders.UNKNOWN else 422
                raise Refused(status, f"This file can't be used: {problem}. {_taken()}")
            row = prediction_table.rows([seen], self._model)[0]
        shown = ("width", "height", "face_found", "num_faces", "score", "angle_deg")
        ranked = sorted(zip(row["probabilities"], self._model.classes, strict=True), reverse=True)
        return {
            **{name: row[name] for name in shown},
            "box_xyxy": list(row["box_xyxy"]),
            "probabilities": [{"label": label, "probability": float(share)} for share, label in ranked],
            "evenness": float(row["entropy"]) / math.log(len(ranked)),
            "mixtures": [self._mixture(title, row[gates], layer) for title, (gates, layer) in _MIXTURES.items()],
        }

    def _mixture(self, title: str, gates: np.ndarray, layer_name: str) -> dict[str, Any]:
        top_k = self._model.model.get_layer(layer_name).top_k
        answering = np.argsort(-gates, kind="stable")[:top_k]  # of equal gates the first wins, as in the layer
        return {"title": title, "gates": gates.tolist(), "answering": sorted(answering.tolist())}

    def stop(self) -> None:
        """Ends the process that decodes."""
        self._eyes.stop()


def _taken() -> str:
    return "Taken are photographs as JPEG, PNG, WebP, GIF, BMP, TIFF or PPM."


def app(oracle: Oracle, chosen: chosen_model.Chosen, config: ServeConfig) -> Starlette:
    """Returns the web application: `/`, its files, and `POST /predict` with the bytes of an image."""
    index = _index(chosen, config)

    async def show(request: Request) -> Response:
        return HTMLResponse(index)

    async def predict(request: Request) -> Response:
        try:
            data = await _body(request, config.max_bytes)
            return JSONResponse(await run_in_threadpool(oracle.answer, data))
        except Refused as refusal:
            return JSONResponse({"error": str(refusal)}, refusal.status)

    routes = [Route("/", show), Route("/predict", predict, methods=["POST"])]
    routes += [Route(f"/{name}", _file(name)) for name in _FILES]
    trusted = Middleware(TrustedHostMiddleware, allowed_hosts=_HOST_NAMES, www_redirect=False)
    return Starlette(routes=routes, middleware=[Middleware(_Headers), trusted])


class _Headers:
    """Adds the headers that keep the page to itself to every response."""

    def __init__(self, app: ASGIApp):
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        await self._app(scope, receive, send_with_headers)


def _file(name: str) -> Any:
    async def send_file(request: Request) -> Response:
        return FileResponse(_PAGE / name)

    return send_file


async def _body(request: Request, max_bytes: int) -> bytes:
    """Reads a photograph into memory.

    Raises:
        Refused: another site sends it, it is not an image, or it is too large.
    """
    origin = request.headers.get("origin")
    if origin is not None and origin != f"http://{request.headers['host']}":
        raise Refused(403, f"Only this page itself may ask; the request came from {origin}.")
    kind = request.headers.get("content-type", "")
    # A browser sends such a type from another site only after it asked, which nothing here answers.
    if not kind.startswith("image/") and kind != "application/octet-stream":
        raise Refused(415, f"The body must be an image, but its type is {kind or 'not given'}. {_taken()}")
    too_large = Refused(413, f"The photograph is larger than {max_bytes / 2**20:g} MiB. Scale it down first.")
    claimed = request.headers.get("content-length", "0")
    if claimed.isdecimal() and int(claimed) > max_bytes:
        raise too_large
    data = bytearray()
    async for part in request.stream():
        data += part
        if len(data) > max_bytes:
            raise too_large
    return bytes(data)


def _index(chosen: chosen_model.Chosen, config: ServeConfig) -> str:
    made_of = chosen.provenance
    faces = "photographs of real people" if made_of.real_faces else "rendered faces: it knows no real ones"
    facts = {
        "Model": chosen.model_name,
        "Version": chosen.version,
        "Digest": chosen.model_digest,
        "Trained on": f"{made_of.dataset_id} ({faces})",
        "Protocol": made_of.protocol,
        "Licence of the data": made_of.licence,
        "Classes": ", ".join(chosen.model.classes),
    }
    return _TEMPLATES.get_template("index.html.j2").render(
        facts=facts,
        note=AI_ACT_NOTE,
        max_bytes=config.max_bytes,
        max_size=f"{config.max_bytes / 2**20:g} MiB",
        version=chosen.version,
    )


def listen(port: int) -> socket.socket:
    """Returns a socket that listens on this machine only.

    Raises:
        OSError: somebody else has the port.
    """
    try:
        return socket.create_server((HOST, port))
    except OSError as error:
        raise OSError(f"Port {port} of {HOST} can't be used ({error.strerror}). Set PORT= to another one.") from error


def server(web_app: Starlette) -> uvicorn.Server:
    """Returns a server that logs nothing about requests."""
    return uvicorn.Server(
        uvicorn.Config(
            web_app,
            log_level="warning",
            access_log=False,
            server_header=False,
            ws="none",
            lifespan="off",
            limit_concurrency=32,
            timeout_graceful_shutdown=5,
        )
    )
