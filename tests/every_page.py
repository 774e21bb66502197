"""Every kind of page that we write, of made-up data."""

import html as standard_html
import json
import re
import shutil

import cv2
import numpy as np
import pandas as pd

from expressnet.commands import matrix
from expressnet.evaluation import occlusion
from expressnet.evaluation.distribution_shift import Shift
from expressnet.imaging import codec
from expressnet.report import champion_section, crop_page, html, validation_page
from expressnet.stages import drift
from expressnet.web import app
from tests.made import made_answers, made_report
from tests.made.planted_defects import INFO

KINDS = ("evaluation", "promotion", "champion alone", "validation", "crop", "gallery", "drift", "matrix", "serve")
_PNG = codec.encode_png(np.full((96, 192, 3), 128, np.uint8))
_JPEG = cv2.imencode(".jpg", np.full((96, 96, 3), 128, np.uint8))[1].tobytes()
_CHAMPION = {"version": "20260101-00000000", "promoted_at": "2026-01-01T08:00:00+00:00"}


def pages(named=str):
    """Returns the pages by kind.

    Args:
        named: makes of an ordinary name the one that the pages show, wherever they show one that came from data.
    """
    classes = [named(one) for one in made_answers.CLASSES]
    evaluation, told = _evaluation(named, classes)
    return {
        "evaluation": evaluation,
        "promotion": champion_section.fill(evaluation, told),
        "champion alone": champion_section.fill("", told),
        "validation": _validation(named, classes),
        "crop": _crop(named, classes),
        "gallery": _gallery(named, classes),
        "drift": drift._page(
            named("1,000 new images"), [Shift(named("expression expert"), 1234, 5678, 0.1, 1e-5, True)]
        ),
        "matrix": _matrix(named, classes),
        "serve": _serve(named, classes),
    }


def write(folder, named=str):
    """Writes the pages as files that a browser opens; returns their paths by kind."""
    for name in app._FILES:
        shutil.copy(app._PAGE / name, folder)
    paths = {}
    for kind, text in pages(named).items():
        paths[kind] = folder / f"{kind}.html"
        paths[kind].write_text(text)
    return paths


def text(page):
    """Returns what a reader sees of a page, or of a part of one, on one line."""
    without_code = re.sub(r"<(style|script)>.*?</\1>", "", page, flags=re.DOTALL)
    return " ".join(standard_html.unescape(re.sub(r"<[^>]+>", " ", without_code)).split())


def _evaluation(named, classes):
    table = made_answers.table(210, classes=classes)
    places = range(len(table))
    table["source_uri"] = [f"{named(('studio', 'street')[place % 2])}/{place}.jpg" for place in places]
    table["attributes"] = [json.dumps({named("camera"): named(("old", "new")[place // 2 % 2])}) for place in places]
    table["target"] = [np.eye(len(classes))[place % len(classes)].tolist() for place in places]
    maps = [occlusion.Map("a" * 64, named("label sad, answer happy (0.90)"), _PNG)] * 3
    facts = {"dataset_id": named("affectnet7@kaggle"), "no_temperature": "none", "pictures": maps}
    found = made_report.evaluation(table, classes=classes, dataset_id=facts["dataset_id"])
    found["crops"] = {"mode": named("aligned"), "size_px": 48, "crops_digest": "c" * 64}
    provenance = made_report.PROVENANCE | {
        "dataset_id": facts["dataset_id"],
        "licence": named("ours"),
        "backbone_weights": named("imagenet"),
        "versions": {named("keras"): named("3")},
    }
    page = made_report.evaluation_page.render(found, made_report.history(), provenance, maps)
    own = champion_section.Evaluated(found, table)
    decision = {
        "promoted": False,
        "reason": named("no proof"),
        "model_name": named("m"),
        "version": "20260102-11111111",
    }
    return page, champion_section.tell(own, _CHAMPION | {"version": named(_CHAMPION["version"])}, own, decision, "now")


def _validation(named, classes):
    info = dict.fromkeys(validation_page._FACTS, 0) | INFO.as_dict()
    info |= {"classes": classes, "dataset": named("d"), "dataset_id": named("d@1"), "dataset_digest": "ab" * 32}
    info |= {"layout": named("labels.csv"), "licence": named("ours"), "colours": [[1 / 32] * 32] * 3}
    checks = [
        {"title": "sha256 is unique", "result": "passed", "finding": "all"},
        {"title": "no image is damaged", "result": "stop", "finding": f"3 against it: {named('x' * 90)}, b.jpg"},
    ]
    rows = pd.DataFrame({"label": classes * 3, "source_split": named("train"), "problem": ""})
    rows = rows.assign(width=48, height=48, brightness=99.0)
    found = validation_page.Distributions.of(lambda columns: iter([rows[columns]]))
    return validation_page.render(info, checks, found, info | {"dataset_id": named("e@2")})


def _crop(named, classes):
    rows = pd.DataFrame({"label": classes * 3, "source_split": named("train"), "face_found": True, "num_faces": 1})
    rows["face_width"] = 82.0
    facts = dict.fromkeys(crop_page._FACTS, 0.5) | {"crops_digest": "c" * 64, "mode": named("aligned")}
    labels = [f"{name} (0.90)" for name in classes]
    sheets = [{"title": "Surest faces", "address": html.data_uri(_PNG), "labels": labels}]
    figures = crop_page._figures(rows, {"dataset": {"dataset": named("demo")}, **facts})
    return html.page("crop.html.j2", **figures, sheets=sheets, refusal=named("No pictures"))


def _gallery(named, classes):
    figures = [
        html.part(
            "gallery_figure.html.j2",
            sha256=f"{number:064x}",
            address=html.data_uri(_JPEG, "jpeg"),
            said=f"{named('happy')} 0.99",
            file=named("y" * 110),
        )
        for number in range(9)
    ]
    return html.page(
        "gallery.html.j2",
        model=named("expressnet-demo 20260101-00000000"),
        num_answered=99,
        num_shown=9,
        note="note",
        sections={classes[0]: figures},
        refused=[(named("damaged image"), 3)],
        refused_files=[(named("z" * 110), named("damaged image"))],
    )


def _matrix(named, classes):
    figure = {"value": 0.75, "low": 0.625, "high": 0.875}
    names = [named("affectnet7@1 ab12cd34"), named("fer2013@2 1234abcd"), named("rafdb@1 99aabbcc")]
    facts = {"num_rows": 1234, "num_seen": 5, "classes": classes, "own_split_known": False, "reason": ""}
    cells = [{"model": model, "test_set": test, **facts} for model in names for test in names]
    return matrix._page([cell | {"accuracy": figure, "macro_f1": figure} for cell in cells])


def _serve(named, classes):
    facts = {"Version": "20260101-00000000", "Digest": "a" * 64, "Classes": ", ".join(classes)}
    template = app._TEMPLATES.get_template("index.html.j2")
    return template.render(facts=facts, note=named("note"), max_bytes=1, max_size="20 MiB", version=named("1"))
