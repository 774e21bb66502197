"""The commands that put a champion to work: `python -m pipelines predict|serve`."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from expressnet import config
from pipelines import errors, local


def add_commands(commands: argparse._SubParsersAction) -> None:
    """Adds both commands to the command line."""
    predict = commands.add_parser(
        "predict",
        help="run the pipeline predict: photographs in, a table of predictions out",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    predict.add_argument("input", help="folder, file, .zip, .tar, .tar.gz or gs://bucket/prefix")
    _add_choice(predict)
    predict.add_argument("--gallery", action="store_true", help="also write a page that shows the faces")
    predict.set_defaults(command=_predict)
    serve = commands.add_parser(
        "serve",
        help="open a page on this machine on which a photograph can be dropped",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    _add_choice(serve)
    serve.add_argument("--port", type=int, default=config.ServeConfig.port, help="of 127.0.0.1; 0 takes a free one")
    serve.set_defaults(command=_serve)


def _add_choice(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model",
        default=config.ModelChoice.model,
        metavar="NAME",
        help="such as expressnet-demo; not needed where there is one champion",
    )
    parser.add_argument(
        "--version",
        default=config.ModelChoice.version,
        metavar="VERSION",
        help="YYYYMMDD-<digest8> of a registered version instead of the champion",
    )
    parser.add_argument("--out", type=Path, default=Path("out"), help="workspace with the registry")


def _predict(options: argparse.Namespace) -> int:
    if not options.input:
        raise errors.RunError("INPUT= names the photographs: a folder, a file, an archive or gs://bucket/prefix.")
    # Otherwise a mistyped OUT= would become a new, empty workspace.
    if not options.out.expanduser().is_dir():
        raise errors.RunError(f"There is no workspace at {options.out}. Is OUT= the folder that the runs were given?")
    where = options.input if "://" in options.input else str(Path(options.input).expanduser().absolute())
    arguments = {"input_uri": where, "model": options.model, "version": options.version, "gallery": options.gallery}
    local.run("predict", arguments, options.out)
    return 0


def _serve(options: argparse.Namespace) -> int:
    from expressnet.commands import serve

    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    try:
        settings = config.ServeConfig(model=options.model, version=options.version, port=options.port)
        serve.run(options.out.expanduser().absolute(), settings)
    except (ValueError, OSError, RuntimeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0
