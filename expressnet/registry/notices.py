"""What has to be said beside every result, in one wording."""

from __future__ import annotations

AI_ACT_NOTE = (
    "In the European Union, AI systems that infer emotions of people at work or in education are prohibited "
    "(Regulation (EU) 2024/1689, Art. 5(1)(f); medical and safety reasons excepted). A facial expression is not "
    "proof of what a person feels."
)
OPTIMISTIC_NOTE = "optimistic: selected on the test split"
