"""A page with the faces that were predicted, for whoever asks for it; nowhere else is a picture of them stored."""

from __future__ import annotations

import base64
from collections import Counter, defaultdict
from html import escape
from typing import Any

import cv2
import pandas as pd
import pyarrow as pa

from expressnet.config.predict import PredictConfig
from expressnet.inference import photograph
from expressnet.registry import chosen_model
from expressnet.registry.notices import AI_ACT_NOTE
from expressnet.report import html
from expressnet.runtime import workers
from expressnet.sources.base import Tree

_TIMEOUT_S = 60.0
_MOST_REFUSED = 100  # files without an answer that are named
_RESERVED_BYTES = 10_000  # for the style and the headings
_SHOWN_LETTERS = 120  # of a path
_NO_FACE = "No face found: the whole image"


def render(table: pa.Table, tree: Tree, chosen: chosen_model.Chosen, config: PredictConfig) -> str:
    """Returns the page: the surest faces of every class, as many as fit into its size.

    Args:
        table: of predictions, one row per file of `tree`.
        tree: the files, which are read again.
        chosen: the model that predicted.
        config: how large the page may be.
    """
    rows = table.to_pandas()
    answered = rows[rows["problem"] == ""].drop_duplicates("sha256")
    refused = _refused(rows)
    max_bytes = config.max_gallery_bytes - _RESERVED_BYTES - len(refused.encode())
    figures = _figures(_fairly(answered), tree, chosen, max_bytes)
    shown = sum(map(len, figures.values()))
    said = (
        f"Model {chosen.model_name} {chosen.version}. {shown:,} of {len(answered):,} pictures are shown, of every "
        "class the surest first; the table has all."
    )
    sections = [
        html.section(title, f'<div class="gallery">{"".join(figures[title])}</div>')
        for title in (*chosen.model.classes, _NO_FACE)
        if title in figures
    ]
    return html.page(
        "Predicted expressions",
        html.paragraph(said, "soft") + html.paragraph(AI_ACT_NOTE) + "".join(sections) + refused,
    )


def _fairly(answered: pd.DataFrame) -> pd.DataFrame:
    """Orders rows so that any number of them from the start has about as many of each section."""
    section = answered["class"].where(answered["face_found"].astype(bool), _NO_FACE)
    sure = answered.assign(section=section, surest=answered["probabilities"].map(max)).sort_values(
        ["surest", "file"], ascending=[False, True]
    )
    return sure.assign(rank=sure.groupby("section").cumcount()).sort_values(["rank", "section"])


def _figures(ordered: pd.DataFrame, tree: Tree, chosen: chosen_model.Chosen, max_bytes: int) -> dict[str, list[str]]:
    """Returns figures by section, until they have `max_bytes`."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    files = (tree.by_path[path] for path in ordered["file"])
    looked = workers.run(
        photograph.see_file,
        files,
        num_workers=1,
        start=photograph.start,
        start_arguments=(chosen.crop,),
        timeout_s=_TIMEOUT_S,
        memory_bytes=photograph.MEMORY_BYTES,
    )
    for row, one in zip(ordered.to_dict("records"), looked, strict=True):
        # Whoever changed the file meanwhile sees it at the next run.
        if isinstance(one, workers.Failure) or one.square is None or one.sha256 != row["sha256"]:
            continue
        figure = _figure(row, one)
        max_bytes -= len(figure.encode())
        if max_bytes < 0:
            break
        found[row["section"]].append(figure)
    return found


def _figure(row: dict[Any, Any], one: photograph.Seen) -> str:
    assert one.square is not None
    _, jpeg = cv2.imencode(".jpg", cv2.cvtColor(one.square, cv2.COLOR_RGB2BGR))
    said = f"{row['class']} {row['surest']:.2f}"
    # By its id `make forget` finds a page that shows what is to be erased.
    return (
        f'<figure id="{row["sha256"]}"><img alt="{escape(said, quote=True)}" '
        f'src="data:image/jpeg;base64,{base64.b64encode(jpeg.tobytes()).decode()}">'
        f"<figcaption>{escape(said)}<br>{escape(_shown(row['file']))}</figcaption></figure>"
    )


def _refused(rows: pd.DataFrame) -> str:
    refused = rows[rows["problem"] != ""]
    if refused.empty:
        return ""
    counts = Counter(refused["problem"])
    named = list(zip(refused["file"].map(_shown), refused["problem"], strict=True))[:_MOST_REFUSED]
    return html.section(
        "Without an answer",
        html.table(("why", "files"), sorted(counts.items())),
        html.details(f"The first {len(named):,}", html.table(("file", "why"), named)),
    )


def _shown(path: str) -> str:
    return path if len(path) <= _SHOWN_LETTERS else f"…{path[1 - _SHOWN_LETTERS :]}"
