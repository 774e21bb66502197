"""AffectNet (Mollahosseini, Hasani and Mahoor, 2017), with and without contempt, in the layouts that circulate."""

from __future__ import annotations

from expressnet.datasets import affectnet_layouts
from expressnet.datasets.base import BY_AGREEMENT, About, Findings, Source, refusal, unwrapped
from expressnet.sources.base import Tree

_LAYOUTS = tuple(layout.title for layout in affectnet_layouts.LAYOUTS)
_KAGGLE_COUNTS = {
    "surprise": 4616,
    "happy": 4336,
    "anger": 3608,
    "disgust": 3472,
    "contempt": 3244,
    "fear": 3043,
    "sad": 2995,
    "neutral": 2861,
}


def about_of(classes: tuple[str, ...]) -> About:
    """Returns what people should know about AffectNet with these classes."""
    kaggle = sum(count for name, count in _KAGGLE_COUNTS.items() if name in classes)
    return About(
        name=f"affectnet{len(classes)}",
        title=f"AffectNet, {len(classes)} classes",
        licence=BY_AGREEMENT,
        layouts=_LAYOUTS,
        expected=f"Kaggle {kaggle:,}; official, all 8 classes, 287,651 train and 3,999 val; YOLO 25,262",
    )


def scan(tree: Tree, classes: tuple[str, ...]) -> Source:
    """Lists the examples; those of classes that are not wanted are left out and counted.

    Raises:
        ValueError: the layout is none of those known, or a label file is torn.
    """
    about, inner = about_of(classes), unwrapped(tree)
    layout = next((one for one in affectnet_layouts.LAYOUTS if one.is_there(inner)), None)
    if layout is None:
        raise refusal(tree, about)
    findings = Findings()
    records = []
    for record in layout.records(inner, about, findings):
        if record.label in classes:
            records.append(record)
        else:
            findings.add(f"left out: {record.label}", record.uri)
    if not records:
        raise refusal(tree, about, f"The layout is {layout.title}, but no labelled picture was found in it.")
    counts = {"none": {name: _KAGGLE_COUNTS[name] for name in classes}} if layout.provenance == "kaggle" else {}
    return Source(
        dataset_id=f"{about.name}@{layout.provenance}",
        layout=layout.title,
        classes=classes,
        records=records,
        findings=findings.all(),
        published_counts=counts,
        num_ignored=tree.num_ignored,
    )
