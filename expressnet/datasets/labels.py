"""The expression classes and their order; nothing else in the project spells them."""

from __future__ import annotations

from collections.abc import Iterable

# The order of the outputs is the authors' own (their notebooks), so that their confusion matrices compare.
CLASSES_7 = ("anger", "disgust", "sad", "happy", "fear", "neutral", "surprise")
CLASSES_8 = ("anger", "contempt", "disgust", "sad", "happy", "fear", "neutral", "surprise")

# How the circulating copies of the public data sets spell the same classes.
ALIASES = {
    "angry": "anger",
    "disgusted": "disgust",
    "sadness": "sad",
    "happiness": "happy",
    "fearful": "fear",
    "surprised": "surprise",
}


def canonical(name: str) -> str | None:
    """Returns the class that `name` spells (case and surrounding blanks ignored), or None for no known class.

    >>> canonical("Happiness"), canonical("bored")
    ('happy', None)
    """
    folded = name.strip().lower()
    folded = ALIASES.get(folded, folded)
    return folded if folded in CLASSES_8 else None


def class_order(present: Iterable[str]) -> tuple[str, ...]:
    """Returns the classes of `present` in the order of the model's outputs.

    >>> class_order(["sad", "anger", "happy"])
    ('anger', 'sad', 'happy')
    """
    present = set(present)
    return tuple(name for name in CLASSES_8 if name in present)


def describe_known() -> str:
    """Lists every accepted spelling, for error messages."""
    spellings = [f"{name} ({', '.join(a for a, c in ALIASES.items() if c == name)})" for name in CLASSES_8]
    return ", ".join(spelling.replace(" ()", "") for spelling in spellings)
