"""The model card, made of facts: one content, as Markdown for the registry and as HTML in the report."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from markupsafe import Markup

from expressnet.evaluation.bootstrap import shown
from expressnet.registry.notices import AI_ACT_NOTE, OPTIMISTIC_NOTE
from expressnet.runtime import templates

DIGESTS = ("dataset_digest", "crops_digest", "split_digest", "config_digest", "code_digest")
FILE_NAME = "card.md"
_NOT_MEASURED = (
    "How it answers for women and men, for old and young and for people of different looks is known only where the "
    "data set says who they are (figures by kind of picture and of person); where nobody measured it, expect gaps."
)
_PROTOCOLS = {
    "honest": "The best epoch was chosen on the validation split; the test split was opened once, after that. People "
    "and near-duplicates are in one split only.",
    "paper": "The authors' own protocol: the best epoch was chosen on the test split itself, so every figure is "
    f"{OPTIMISTIC_NOTE}.",
}


class Section(NamedTuple):
    """A headed part of the card: paragraphs, then perhaps a table."""

    title: str
    paragraphs: tuple[str, ...]
    header: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


def missing(evaluation: Mapping[str, Any], provenance: Mapping[str, Any]) -> list[str]:
    """Returns which facts a complete card lacks."""
    wanted = {
        **{name.replace("_", " "): provenance.get(name) for name in (*DIGESTS, "dataset", "licence", "protocol")},
        "backbone weights": provenance.get("backbone_weights"),
        "whether the faces are of real people": provenance.get("real_faces") is not None,
        "test images": evaluation.get("num_test"),
        "share of the most frequent class": evaluation.get("majority_rate"),
        **{name.replace("_", " "): _has_interval(evaluation, name) for name in evaluation.get("headlines", ())},
        "figures": evaluation.get("headlines"),
        "recall by class": _has_interval(evaluation, "recall"),
        "figures by kind of picture": "slices" in evaluation,
    }
    return [name for name, value in wanted.items() if not value]


def _has_interval(evaluation: Mapping[str, Any], name: str) -> bool:
    return {"value", "low", "high"} <= set(evaluation.get("metrics", {}).get(name, {}))


def figures(evaluation: Mapping[str, Any]) -> list[Section]:
    """Returns what was measured: the headline and every class."""
    found, names = evaluation["metrics"], ("precision", "recall", "f1")
    note = f" ({OPTIMISTIC_NOTE})" if evaluation["protocol"] == "paper" else ""
    grouped = "people" if evaluation["num_groups"] < evaluation["num_test"] else "images"
    headline = tuple((name.replace("_", " "), shown(found[name])) for name in evaluation["headlines"])
    classes = tuple(
        (
            label,
            *(shown(found[name], place) for name in names),
            f"{evaluation['support'][place]:,}",
            f"{evaluation['one_vs_rest_accuracy'][place]:.3f}",
        )
        for place, label in enumerate(evaluation["classes"])
    )
    about = (
        f"{evaluation['dataset_id']}, protocol {evaluation['protocol']}{note}, preset {evaluation['preset']}, seed "
        f"{evaluation['seed']}, {evaluation['num_test']:,} test images. Intervals: {evaluation['confidence']:.0%} "
        f"bootstrap over {evaluation['num_groups']:,} {grouped}. The most frequent class alone gives "
        f"{evaluation['majority_rate']:.1%}."
    )
    return [
        Section("Figures", (about,), ("figure", "value (interval)"), headline),
        Section("Figures by class", (), ("class", *names, "support", "one-vs-rest accuracy"), classes),
        _slices(evaluation),
    ]


def _slices(evaluation: Mapping[str, Any]) -> Section:
    rows = tuple(
        (
            one["attribute"],
            one["name"],
            f"{one['num_rows']:,}{' (too few to judge)' if one['too_few'] else ''}",
            shown(one["accuracy"]),
        )
        for one in evaluation["slices"]["slices"]
    )
    about = () if rows else ("All test images are of one kind in everything that is known of them.",)
    return Section("Figures by kind of picture and of person", about, ("what", "slice", "images", "accuracy"), rows)


def sections(evaluation: Mapping[str, Any], provenance: Mapping[str, Any]) -> list[Section]:
    """Returns what people have to know beside the figures."""
    counts, rates = evaluation["split_counts"], evaluation["face_rate_by_class"]
    return [
        Section(
            "Data",
            (
                f"Data set {provenance['dataset_id']} (digest {provenance['dataset_digest'][:8]}). Licence: "
                f"{provenance['licence']}. "
                + (
                    "Its pictures show real people."
                    if provenance["real_faces"]
                    else "As far as its reader knows, its pictures show no real people: the figures say nothing about "
                    "real faces."
                ),
            ),
            ("class", *(f"{name} images" for name in counts), "faces found"),
            tuple(
                (label, *(f"{counts[name].get(label, 0):,}" for name in counts), f"{rates[label]:.3f}")
                for label in evaluation["classes"]
            ),
        ),
        Section("Protocol", (f"{provenance['protocol']}: {_PROTOCOLS[provenance['protocol']]}",)),
        Section("Backbone", (_backbone(provenance),)),
        Section(
            "Intended use",
            (
                "Research on facial expression recognition, and software that shows an expression class of one face "
                "with its probability to people who know what that is worth. The use that a version was promoted for "
                "is in its promotion record (make history).",
            ),
        ),
        Section(
            "What it must not be used for",
            (
                AI_ACT_NOTE,
                "Nor for decisions about a person (hiring, marks, credit, insurance, police, borders, medicine), for "
                "detecting lies, for watching people who did not agree, or for telling what somebody feels or thinks.",
            ),
        ),
        Section("Limits", tuple(_limits(evaluation, provenance))),
    ]


def _backbone(provenance: Mapping[str, Any]) -> str:
    weights = provenance["backbone_weights"]
    if weights.startswith("none"):
        return "All weights, the backbone's too, were trained from scratch on the data above."
    return f"The backbone started from pretrained weights: {weights}. Their licence and their data are inherited."


def _limits(evaluation: Mapping[str, Any], provenance: Mapping[str, Any]) -> list[str]:
    recall, rates = evaluation["metrics"]["recall"], evaluation["face_rate_by_class"]
    tested = [place for place, count in enumerate(evaluation["support"]) if count]
    worst = min(tested, key=lambda place: recall["value"][place])
    least = min(rates, key=lambda label: rates[label])
    limits = [
        f"It knows {len(evaluation['classes'])} classes ({', '.join(evaluation['classes'])}) and nothing between them.",
        f"It misses {evaluation['classes'][worst]} most: recall {shown(recall, worst)} on "
        f"{evaluation['support'][worst]:,} test images.",
        f"A face was found in {rates[least]:.1%} of the images of {least}, the least of all classes; elsewhere the "
        "whole image was used.",
        _NOT_MEASURED,
    ]
    if not provenance["real_faces"]:
        limits.append("It has seen no real face. Don't use it on people.")
    return limits


def markdown(
    title: str, evaluation: Mapping[str, Any], provenance: Mapping[str, Any], digests: Mapping[str, str]
) -> str:
    """Returns the whole card.

    Args:
        title: model and version.
        evaluation: see expressnet.stages.evaluate.
        provenance: see expressnet.stages.train.
        digests: what else identifies the model, by name.
    """
    known = [(name.replace("_", " "), value or "not recorded") for name, value in digests.items()]
    identity = Section("Provenance", (), ("what", "value"), (*known, *provenance["versions"].items()))
    parts = [*figures(evaluation), *sections(evaluation, provenance), identity]
    return _TEMPLATES.get_template("card.md.j2").render(title=title, parts=parts)


def _as_markdown(text: str) -> Markup:
    """Takes the meaning that Markdown and HTML would see from characters; names of classes come from folders."""
    escaped = "".join(f"\\{char}" if char in r"\`*[]|<>" else char for char in text)
    return Markup(" ".join(escaped.replace("&", "&amp;").split()))


_TEMPLATES = templates.environment(Path(__file__).parent, finalize=_as_markdown)
