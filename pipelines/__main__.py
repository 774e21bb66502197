"""The program `expressnet`, which is also `python -m pipelines`; `--help` lists its commands."""

from __future__ import annotations

import os
import sys

import cyclopts

from expressnet.runtime import storage
from pipelines.cli import cluster, data, make_variables, matrix, models, predict, run
from pipelines.errors import RunError

EPILOGUE = "Example: expressnet run train --dataset fer2013 --data-uri ~/fer2013.csv --preset small"


def build() -> cyclopts.App:
    """Returns the program with all its commands."""
    app = cyclopts.App(
        name="expressnet",
        help="Trains, proves and promotes facial-expression recognition models.",
        help_epilogue=EPILOGUE,
        version_flags=[],
        result_action="return_value",
        exit_on_error=False,
        print_error=False,
        suppress_keyboard_interrupt=False,
        default_parameter=cyclopts.Parameter(allow_repeating=True),  # the last one counts
    )
    pipelines = run.add(app)
    predict.add(app, pipelines)
    models.add(app, pipelines)
    matrix.add(app)
    data.add(app)
    cluster.add(app)
    app.register_install_completion_command(add_to_startup=False)
    return app


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; returns the exit code: 0 done, 1 failed, 2 wrong arguments."""
    arguments = sys.argv[1:] if arguments is None else arguments
    app = build()
    try:
        if arguments[:1] == [make_variables.FLAG]:
            arguments = make_variables.arguments(app, arguments[1:], os.environ)
        return int(app(arguments) or 0)
    except cyclopts.CycloptsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except (RunError, ValueError, OSError, storage.ConflictError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from the last finished stage or epoch", file=sys.stderr)
        return 130


def script() -> None:
    """Runs the program and ends the process; the entry point of `expressnet`."""
    # TensorFlow's and kfp's own chatter would drown the answer; the log of a run has it.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    sys.exit(main())


if __name__ == "__main__":
    script()
