"""Serves the local page that answers for a photograph."""

from __future__ import annotations

import contextlib
from pathlib import Path

from expressnet.config.predict import ServeConfig
from expressnet.registry import chosen_model
from expressnet.runtime import console
from expressnet.web import app


def run(workspace: Path, config: ServeConfig) -> None:
    """Serves the page until Ctrl-C.

    Raises:
        FileNotFoundError: there is no such model.
        OSError: the port is taken.
    """
    with app.listen(config.port) as listening:
        chosen = chosen_model.load(workspace, config)
        oracle = app.Oracle(chosen, config)
        try:
            port = listening.getsockname()[1]
            console.say(f"{chosen.model_name} {chosen.version} answers at http://{app.HOST}:{port} (Ctrl-C stops it)")
            with contextlib.suppress(KeyboardInterrupt):  # the way to end it
                app.server(app.app(oracle, chosen, config)).run(sockets=[listening])
            console.say("stopped")
        finally:
            oracle.stop()
