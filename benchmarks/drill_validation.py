"""Plants every kind of defect and draws clean data for the gate: `python -m benchmarks.drill_validation`.

The exit code is 1 if a defect is missed or misnamed, or if clean data raise an alarm.
"""

from __future__ import annotations

import re
import sys

import pandas as pd

from expressnet.artifacts.dataset_info import DatasetInfo
from expressnet.config.validate import ValidateConfig
from expressnet.stages import validate
from tests.made.planted_defects import INFO, PLANTED, clean_draw, in_parts

NUM_DRAWS = 100
_BATCH_ROWS = 13  # several batches, so that what lies in different ones is found too


def alarms(rows: pd.DataFrame, info: DatasetInfo) -> dict[str, str]:
    """Returns the findings of the checks that did not pass."""
    checks = validate.check(in_parts(rows, _BATCH_ROWS), info, ValidateConfig(min_per_class=5))
    return {one.id: one.finding for one in checks if one.result != "passed"}


def main() -> int:
    """Prints what was caught and what clean data raised; returns the exit code."""
    num_caught = 0
    for check, (rows, facts, wanted) in PLANTED.items():
        found = alarms(rows, INFO.model_copy(update=facts))
        is_caught = list(found) == [check] and re.search(wanted, found[check]) is not None
        num_caught += is_caught
        print(f"{'caught' if is_caught else 'MISSED'}  {check}: {found}", flush=True)
    num_alarms = sum(len(alarms(clean_draw(draw), INFO)) for draw in range(NUM_DRAWS))
    print(f"{num_caught} of {len(PLANTED)} kinds of defects caught and named, and nothing beside them")
    print(f"{num_alarms} alarms in {NUM_DRAWS} draws of clean data, asked: 0")
    return 0 if num_caught == len(PLANTED) and not num_alarms else 1


if __name__ == "__main__":
    sys.exit(main())
