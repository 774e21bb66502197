"""Writes docs/options.md: every option of every pipeline, from the settings of its stages."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from expressnet.config import options
from expressnet.config.predict import ServeConfig

FILE = Path(__file__).resolve().parents[2] / "docs" / "options.md"
_INTRODUCTION = """# Options

Written by `make docs` from the settings in `expressnet/config/`, where a field is the only home of an option. An option
`seed` is `SEED=` of make, `--seed` of `expressnet run` and `expressnet submit`, and the parameter `seed` of the
pipeline in Kubeflow. Switches are `PICTURES=1` and `PICTURES=0`, `--pictures` and `--no-pictures`.
"""
_HEADINGS = {
    "train": "## `make run`, `make submit` and schedules",
    "retrain": "## `make retrain`, beside those",
    "predict": "## `make predict`, beside `INPUT=`",
    "promote": "## `make promote`, beside `VERSION=` and `MODEL=`",
}


def text() -> str:
    """Returns the page as Markdown."""
    parts = [_INTRODUCTION]
    trained = options.of_pipeline("train")
    for pipeline, heading in _HEADINGS.items():
        found = options.of_pipeline(pipeline)
        if pipeline == "retrain":
            found = {name: option for name, option in found.items() if name not in trained}
        parts.append(f"{heading}\n\n{_table(found.values())}")
    parts.append(f"## `make serve`\n\n{_table(options.of_classes(ServeConfig).values())}")
    return "\n".join(parts)


def _table(found: Iterable[options.Option]) -> str:
    lines = ["| variable | takes | default | meaning |", "|---|---|---|---|"]
    for option in found:
        if not option.hidden:
            takes = "1 or 0" if option.kind is bool else option.requirement
            lines.append(f"| `{option.flag.upper()}` | {takes} | {_spelled(option.default)} | {option.help} |")
    return "\n".join(lines) + "\n"


def _spelled(default: bool | int | float | str) -> str:
    if default == "" and isinstance(default, str):
        return "empty"
    return (
        f"`{default:g}`" if isinstance(default, float) else f"`{int(default) if default in (True, False) else default}`"
    )


def main() -> None:
    """Writes the page."""
    FILE.write_text(text(), encoding="utf-8")
    print(FILE)


if __name__ == "__main__":
    main()
