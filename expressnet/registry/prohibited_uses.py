"""Whether a stated use may be one that the law prohibits: a list of words, and no legal advice."""

from __future__ import annotations

import re

# Regulation (EU) 2024/1689, Art. 5(1)(f): no AI systems that infer emotions of people in the areas of workplace and
# education institutions, except for medical or safety reasons. Recital 44 says why.
_WORK = (
    r"at work",
    r"work ?places?",
    r"work[- ]?force",
    r"workers?",
    r"employ(?:ees?|ers?|ment)",
    r"staff",
    r"personnel",
    r"colleagues?",
    r"offices?",
    r"call[- ]cent(?:er|re)s?",
    r"human resources",
    r"hr",
    r"recruit\w*",
    r"hiring",
    r"job",
    r"jobs",
    r"interview\w*",
    r"applicants?",
    r"candidates?",
    r"performance reviews?",
    r"productivity",
)
_EDUCATION = (
    r"schools?",
    r"pupils?",
    r"students?",
    r"teachers?",
    r"class ?rooms?",
    r"lessons?",
    r"lectures?",
    r"exams?",
    r"examinations?",
    r"proctor\w*",
    r"universit(?:y|ies)",
    r"colleges?",
    r"kindergartens?",
    r"education\w*",
    r"e-?learning",
    r"trainees?",
    r"apprentices?",
)
_MEDICAL_OR_SAFETY = (
    r"medical\w*",
    r"medicine",
    r"clinic\w*",
    r"patients?",
    r"hospitals?",
    r"therap\w+",
    r"diagnos\w+",
    r"health\w*",
    r"safety",
    r"accidents?",
    r"fatigue",
    r"drows\w+",
)
_PROHIBITED = {"eu": (*_WORK, *_EDUCATION), "none": ()}
_EXCEPTED = {"eu": _MEDICAL_OR_SAFETY, "none": ()}


def objection(intended_use: str, jurisdiction: str) -> str:
    """Returns why a use may not be promoted for, "" if nothing speaks against it.

    Args:
        intended_use: in the promoter's words.
        jurisdiction: eu or none.

    >>> objection("choosing stills of a film", "eu")
    ''
    >>> objection("seeing which pupils are bored", "eu")[:73]
    "the intended use 'seeing which pupils are bored' speaks of pupils: in the"
    """
    found = _found(_PROHIBITED[jurisdiction], intended_use)
    if not found or _found(_EXCEPTED[jurisdiction], intended_use):
        return ""
    return (
        f"the intended use {intended_use!r} speaks of {', '.join(found)}: in the European Union, AI systems that infer "
        "emotions of people at work or in education are prohibited (Regulation (EU) 2024/1689, Art. 5(1)(f)), but for "
        "medical or safety reasons. This is a comparison with a list of English words and no legal advice: if it reads "
        "you wrong, say the use in other words; outside the European Union, say JURISDICTION=none"
    )


def remark(intended_use: str, jurisdiction: str) -> str:
    """Returns what a use passed on, where it passed on an exception, "" otherwise."""
    excepted = _found(_EXCEPTED[jurisdiction], intended_use)
    if not excepted or not _found(_PROHIBITED[jurisdiction], intended_use):
        return ""
    return (
        f"The intended use passed for its words {', '.join(excepted)} as medical or for safety; whether the exception "
        "of Art. 5(1)(f) holds, a list of words can't say, and you have to know"
    )


def _found(patterns: tuple[str, ...], text: str) -> list[str]:
    """Returns the words of a text that match, in its order, each once."""
    if not patterns:
        return []
    whole = re.compile(rf"(?<!\w)(?:{'|'.join(patterns)})(?!\w)", re.IGNORECASE)
    return list(dict.fromkeys(match.group().lower() for match in whole.finditer(text)))
