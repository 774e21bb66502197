"""A page with the faces that were predicted, for whoever asks for it; nowhere else is a picture of them stored."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import pandas as pd
import pyarrow as pa
from markupsafe import Markup

from expressnet.config.predict import PredictConfig
from expressnet.inference import photograph
from expressnet.registry import chosen_model
from expressnet.registry.notices import AI_ACT_NOTE
from expressnet.report import html
from expressnet.runtime import workers
from expressnet.sources.base import Tree

_TIMEOUT_S = 60.0
_MOST_REFUSED = 100  # files without an answer that are named
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
    refused = rows[rows["problem"] != ""]
    titles = (*chosen.model.classes, _NO_FACE)
    values = {
        "model": f"{chosen.model_name} {chosen.version}",
        "num_answered": len(answered),
        "note": AI_ACT_NOTE,
        "refused": sorted(Counter(refused["problem"]).items()),
        "refused_files": list(zip(refused["file"].map(_shown), refused["problem"], strict=True))[:_MOST_REFUSED],
    }

    def page(sections: Mapping[str, Sequence[Markup]], num_shown: int) -> str:
        return html.page("gallery.html.j2", **values, sections=sections, num_shown=num_shown)

    # No page has more beside its figures than one with all sections and the largest number.
    largest = page(dict.fromkeys(titles, ()), len(answered))
    figures = _figures(_fairly(answered), tree, chosen, config.max_gallery_bytes - len(largest.encode()))
    sections = {title: figures[title] for title in titles if title in figures}
    return page(sections, sum(map(len, figures.values())))


def _fairly(answered: pd.DataFrame) -> pd.DataFrame:
    """Orders rows so that any number of them from the start has about as many of each section."""
    section = answered["class"].where(answered["face_found"].astype(bool), _NO_FACE)
    sure = answered.assign(section=section, surest=answered["probabilities"].map(max)).sort_values(
        ["surest", "file"], ascending=[False, True]
    )
    return sure.assign(rank=sure.groupby("section").cumcount()).sort_values(["rank", "section"])


def _figures(ordered: pd.DataFrame, tree: Tree, chosen: chosen_model.Chosen, max_bytes: int) -> dict[str, list[Markup]]:
    """Returns figures by section, until they have `max_bytes`."""
    found: defaultdict[str, list[Markup]] = defaultdict(list)
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


def _figure(row: dict[Any, Any], one: photograph.Seen) -> Markup:
    assert one.square is not None
    _, jpeg = cv2.imencode(".jpg", cv2.cvtColor(one.square, cv2.COLOR_RGB2BGR))
    return html.part(
        "gallery_figure.html.j2",
        sha256=row["sha256"],
        address=html.data_uri(jpeg.tobytes(), "jpeg"),
        said=f"{row['class']} {row['surest']:.2f}",
        file=_shown(row["file"]),
    )


def _shown(path: str) -> str:
    return path if len(path) <= _SHOWN_LETTERS else f"…{path[1 - _SHOWN_LETTERS :]}"
