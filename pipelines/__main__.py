"""Command line: `python -m pipelines run|submit|status|...`; `--help` lists all."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from expressnet import config, datasets
from expressnet.runtime import storage
from pipelines import catalog, errors, local
from pipelines.cli import matrix, models, predict
from pipelines.cli.cluster import add_commands, add_compile


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; returns the exit code: 0 done, 1 failed, 2 wrong arguments."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.command(options))
    except errors.RunError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from the last finished stage or epoch", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pipelines",
        description="Runs or compiles ExpressNet's pipelines.",
        epilog="Example: python -m pipelines run train --dataset fer2013 --data-uri ~/fer2013.csv --preset small",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    settings = _settings_parser()
    _add_run(commands, settings)
    add_commands(commands, settings)
    add_compile(commands)
    datasets_parser = commands.add_parser("datasets", help="list the data sets, their layouts and licences")
    datasets_parser.set_defaults(command=_datasets)
    forget_parser = commands.add_parser(
        "forget", help="erase examples from data, crops and reports, and leave them out from now on"
    )
    forget_parser.add_argument("sha256", nargs="+", help="of the original file, as the manifest names it")
    forget_parser.add_argument("--out", type=Path, default=Path("out"), help="workspace; default: %(default)s")
    forget_parser.set_defaults(command=_forget)
    export_parser = commands.add_parser(
        "export", help="write a SavedModel and a TFLite model: uint8 crops in, probabilities out"
    )
    export_parser.add_argument(
        "--name", default="", metavar="MODEL", help="such as expressnet-demo; not needed where there is one champion"
    )
    export_parser.add_argument("--model", type=Path, help="a model folder instead of the champion")
    export_parser.add_argument("--to", type=Path, default=Path("build/export"), help="new folder; default: %(default)s")
    export_parser.add_argument("--out", type=Path, default=Path("out"), help="workspace; default: %(default)s")
    export_parser.set_defaults(command=_export)
    predict.add_commands(commands)
    models.add_commands(commands)
    matrix.add(commands)
    return parser


def _add_run(commands: argparse._SubParsersAction, settings: argparse.ArgumentParser) -> None:
    run = commands.add_parser(
        "run",
        help="run a pipeline on this machine",
        parents=[settings],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    run.add_argument("--out", type=Path, default=Path("out"), help="workspace: data, artifacts, registry, runs")
    run.set_defaults(command=_run)


def _settings_parser() -> argparse.ArgumentParser:
    """Returns the options that a run has here and on a cluster."""
    run = argparse.ArgumentParser(add_help=False)
    run.add_argument("pipeline", choices=catalog.OF_DATA)
    run.add_argument("--dataset", choices=datasets.NAMES, default=config.IngestConfig.dataset)
    run.add_argument(
        "--data-uri", default="", help="folder, file, .zip, .tar, .tar.gz or gs://bucket/prefix; not needed for demo"
    )
    run.add_argument("--preset", choices=config.PRESETS, default="small", help="size of the network")
    run.add_argument("--protocol", choices=config.PROTOCOLS, default=config.SplitConfig.protocol)
    run.add_argument("--seed", type=int, default=config.SplitConfig.seed, help="of split and training")
    run.add_argument(
        "--split-file", default="", help="a split.csv that another run wrote, instead of a draw; submit takes gs:// too"
    )
    run.add_argument("--limit", type=_count, default=0, help="at most so many examples, stratified; 0 is all")
    run.add_argument(
        "--label-mode",
        choices=config.LABEL_MODES,
        default=config.IngestConfig.label_mode,
        help="of ferplus: the class that most voted for, or the shares of the votes",
    )
    run.add_argument("--epochs", type=_count, default=0, help="0 is the preset's own")
    run.add_argument(
        "--precision",
        choices=config.PRECISIONS,
        default=config.TrainConfig.precision,
        help="of training: 16 bits are faster where the processor has them",
    )
    run.add_argument("--xla", action="store_true", help="let XLA compile the training step, which takes it minutes")
    run.add_argument(
        "--class-weights",
        type=float,
        default=config.TrainConfig.class_weights,
        metavar="POWER",
        help="0: all images weigh alike; 1: all classes do; 0.5 lies between",
    )
    run.add_argument(
        "--no-crop-cache",
        dest="crop_cache",
        action="store_false",
        help="decode crops for every batch instead of once, where neither memory nor disk holds their pixels",
    )
    run.add_argument(
        "--moe",
        default="",
        metavar="OPTIONS",
        help="mixtures beyond the paper: renormalize=1,gate_noise=0.5,balance=0.01",
    )
    run.add_argument(
        "--backbone-weights",
        default="",
        metavar="FILE",
        help="pretrained ResNet-50 (HDF5; a path or gs://bucket/object) for the preset paper",
    )
    run.add_argument("--backbone-sha256", default="", metavar="SHA256", help="of that file")
    run.add_argument(
        "--checkpoint-uri", default="", metavar="URI", help="gs://bucket/prefix that gets a copy of every checkpoint"
    )
    run.add_argument(
        "--severities",
        default=config.ValidateConfig.severities,
        help="what failed checks of the data do, as copies=off,exposure=stop",
    )
    run.add_argument(
        "--compare-with",
        default="",
        metavar="DIGEST",
        help="first digits of another ingested data set's digest: show the colours of both",
    )
    run.add_argument(
        "--crop-mode",
        choices=config.RUN_CROP_MODES,
        default=config.AUTO,
        help="aligned: level eyes, square; paper: the authors' box of the full-range model; whole: the "
        "image as it is; auto: paper with --protocol paper, else aligned",
    )
    run.add_argument(
        "--margin",
        type=float,
        default=config.CropConfig.margin,
        help="of aligned: context around a face, in face widths",
    )
    run.add_argument("--detector", choices=config.DETECTORS, default=config.CropConfig.detector)
    run.add_argument(
        "--accept-licence",
        dest="licence_accepted",
        action="store_true",
        help="acknowledge the data set's licence; the run records it",
    )
    run.add_argument(
        "--pictures",
        action="store_true",
        help="show crops, and where the model looked, in the pages, if the licence allows it",
    )
    run.add_argument("--intended-use", default="", help="what the model is for; recorded with a promotion")
    run.add_argument(
        "--jurisdiction",
        choices=config.JURISDICTIONS,
        default=config.PromoteConfig.jurisdiction,
        help="whose prohibitions the intended use is compared with",
    )
    run.add_argument(
        "--min-new",
        type=int,
        default=argparse.SUPPRESS,
        metavar="IMAGES",
        help="of retrain: fewest images that must have come, gone or changed their label; 0: any change "
        "of the data; without it 5 %% of the champion's, 50 at least",
    )
    run.add_argument(
        "--warm-start",
        action="store_true",
        default=argparse.SUPPRESS,
        help="of retrain: start from the champion's weights",
    )
    run.add_argument(
        "--on-drift",
        choices=config.DRIFT_ANSWERS,
        default=argparse.SUPPRESS,
        help="of retrain: train on photographs of another kind (go, without it), or end where they came "
        "twice in a row (stop)",
    )
    return run


def _count(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"must be 0 or more; got {value}")
    return value


def _accepts_licence(options: argparse.Namespace) -> bool:
    """Says whether the licence is acknowledged; asks where somebody sits at a terminal."""
    about = datasets.find(options.dataset).ABOUT
    if options.licence_accepted or not about.needs_acceptance:
        return True
    if not sys.stdin.isatty():
        return False  # ingest refuses, and says what to do
    print(f"{about.title}. Licence: {about.licence}.")
    return input("May you use it under this licence? [y/N] ").strip().lower() in ("y", "yes")


def _run(options: argparse.Namespace) -> int:
    options.licence_accepted = _accepts_licence(options)
    other = ("command", "pipeline", "out")
    arguments = {name: value for name, value in vars(options).items() if name not in other}
    catalog.require_known(options.pipeline, arguments)
    if arguments["data_uri"] and "://" not in arguments["data_uri"]:
        arguments["data_uri"] = str(Path(arguments["data_uri"]).expanduser().absolute())
    if arguments["backbone_weights"] and "://" not in arguments["backbone_weights"]:
        arguments["backbone_weights"] = str(Path(arguments["backbone_weights"]).expanduser().absolute())
    if arguments["split_file"]:
        path = Path(arguments["split_file"]).expanduser().absolute()
        if not path.is_file():
            raise errors.RunError(f"SPLIT_FILE={path} is no file. Every split leaves a split.csv in its folder.")
        arguments |= {"split_file": str(path), "split_file_digest": storage.file_sha256(path)}
    local.run(options.pipeline, arguments, options.out)
    return 0


def _datasets(options: argparse.Namespace) -> int:
    print(datasets.describe())
    return 0


def _forget(options: argparse.Namespace) -> int:
    from expressnet.commands import forget

    try:
        report = forget.run(options.out.expanduser().absolute(), options.sha256)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for name, value in report.items():
        print(f"{name.replace('_', ' '):<28}{value}")
    return 0


def _export(options: argparse.Namespace) -> int:
    from expressnet.commands import export
    from expressnet.registry import registry

    try:
        if not options.model and not options.out.expanduser().is_dir():
            raise FileNotFoundError(f"There is no workspace at {options.out}. Is OUT= the folder of the runs?")
        folder = options.model or registry.Registry(options.out.expanduser()).champion_dir(options.name)
        export.run(folder, options.to)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    # TensorFlow's and kfp's own chatter would drown the answer; the log of a run has it.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    sys.exit(main())
