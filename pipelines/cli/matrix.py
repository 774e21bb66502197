"""The command `matrix`: models on each other's test splits."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def add(commands: argparse._SubParsersAction) -> None:
    """Adds the command to those of `python -m pipelines`."""
    parser = commands.add_parser("matrix", help="evaluate models on each other's test splits, over the shared classes")
    parser.add_argument("models", nargs="+", help="names of champions, such as expressnet-demo, or model folders")
    parser.add_argument(
        "--data",
        nargs="*",
        type=Path,
        default=[],
        metavar="SPLIT",
        help="outputs of the stage split, beside those the models were made with",
    )
    parser.add_argument("--out", type=Path, default=Path("out"), help="workspace; default: %(default)s")
    parser.add_argument("--to", type=Path, default=Path("build/matrix"), help="folder; default: %(default)s")
    parser.set_defaults(command=_matrix)


def _matrix(options: argparse.Namespace) -> int:
    from expressnet import config
    from expressnet.commands import matrix
    from expressnet.registry import registry

    workspace = options.out.expanduser().absolute()
    try:
        if not workspace.is_dir():
            raise FileNotFoundError(f"There is no workspace at {workspace}. Is OUT= the folder of the runs?")
        folders = [
            Path(name) if Path(name).is_dir() else registry.Registry(workspace).champion_dir(name)
            for name in options.models
        ]
        matrix.run(folders, options.data, workspace, options.to, config.EvaluateConfig())
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(options.to / matrix.PAGE_FILE)
    return 0
