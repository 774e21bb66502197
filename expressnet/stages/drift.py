"""Compares the photographs that are new with those that the champion was made of, before anything is trained on them.

Compared are the classes, brightness, contrast, sharpness and size of the images with the champion's data set, and with
its test split: how often a face is found, and what the champion says about a sample of the new crops: class,
confidence, which expert of either mixture answers most, and where they lie in its embedding, which its classifier sees.
The test split, and not what the champion was trained on, because it has fitted that: new images of the same kind would
lie elsewhere. The test of embeddings calls a difference where none is in a share alpha of all looks at most.

Not seen is what leaves these figures as they are: wrong labels, other people with the same looks, expressions that are
shown in another way. Images of one person count as if they were independent, so that p-values are too small where
people come with many; the size of a shift must be large as well, and one alarm alone decides nothing. Whether the
champion got worse is not asked here, but by the stage promote.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
import pandas as pd

from expressnet.artifacts.crops_info import CropsInfo
from expressnet.artifacts.provenance import Preprocess, Provenance
from expressnet.artifacts.stored import Facts, Plain, Stored
from expressnet.config.drift import DriftConfig
from expressnet.data import manifest
from expressnet.evaluation import distribution_shift
from expressnet.faces import crop_pixels
from expressnet.inference import recrop
from expressnet.registry import registry, sealed_files
from expressnet.report import html
from expressnet.runtime import console, storage
from expressnet.runtime import workspace as folders

if TYPE_CHECKING:
    from expressnet.inference import bundle

REPORT_FILE = "report.html"
_LOOKS_FOLDER = "drift"  # in the workspace: what the last looks saw, by model
_FACTS = ("brightness", "contrast", "sharpness")
Pairs = dict[str, tuple[np.ndarray, np.ndarray]]  # by figure: of the champion's data, of the new ones


class _Champion(NamedTuple):
    version: str
    folder: Path
    provenance: Provenance
    predictions: pd.DataFrame | None


class DriftFigures(Stored):
    """The figures of new photographs against the champion's."""

    FILE: ClassVar[str] = "drift.json"

    verdict: str
    figures: list[dict[str, Any]]


class Drift(Facts):
    """The report of drift.

    Attributes:
        verdict: in words.
        alarms, repeated_alarms: names of the figures, in words.
        num_new: images that the champion was not made of.
        psi: population stability index of every figure.
    """

    verdict: str
    alarms: str
    repeated_alarms: str
    num_new: int
    psi: dict[str, float]

    def plain(self) -> dict[str, Plain]:
        """Returns what a run view can show: every index under its own name."""
        facts = self.as_dict()
        psi = facts.pop("psi")
        return {**facts, **{f"psi_{name}": value for name, value in psi.items()}}


def run(faces_dir: str, out_dir: str, workspace: str, champion: str, config: DriftConfig) -> Drift:
    """Compares the new rows of some crops with the champion's data, and writes the figures and a page.

    An alarm is a figure that differs by much and not by chance. It counts once the same figure alarmed for two
    different states of the data in a row, compared with the same champion.

    Args:
        faces_dir: output of crop.
        out_dir: a new folder.
        workspace: where registry and data sets are.
        champion: its version, "" where there is none.
        config: what an alarm is, and what follows from it.

    Returns:
        The report.

    Raises:
        ValueError: `on_drift` is stop and an alarm counts. The page lies in `out_dir`.failed then.
        sealed.DamagedError: a file of the champion's model is not what was registered.
    """
    info = CropsInfo.read(faces_dir)
    model_name = f"expressnet-{info.dataset.dataset_id}"
    shiftings: list[distribution_shift.Shift] = []
    remarks: list[str] = []
    num_new = 0
    if champion:
        known = _read_champion(registry.Registry(workspace), champion, model_name, remarks)
        new, before = _new_rows(manifest.read(faces_dir), Path(workspace), known, remarks)
        num_new = len(new)
        if num_new:
            pairs = _pairs(new, before, known, info, faces_dir, Path(workspace), config, remarks)
            shiftings = distribution_shift.compare(
                pairs,
                alpha=config.alpha,
                min_psi=config.min_psi,
                num_bins=config.num_bins,
                num_permutations=config.num_permutations,
            )
    alarms = [one.name for one in shiftings if one.is_alarm]
    repeated = _repeated(Path(workspace), model_name, champion, info.dataset.dataset_digest, alarms)
    verdict = ". ".join([_verdict(champion, num_new, shiftings, repeated), *remarks])
    console.say(verdict)
    is_end = bool(repeated) and config.on_drift == "stop"
    target = _write(Path(f"{out_dir}.failed" if is_end else out_dir), verdict, shiftings)
    if is_end:
        raise ValueError(f"ON_DRIFT=stop: {verdict}. Look at {target / REPORT_FILE}; ON_DRIFT=go trains all the same.")
    return Drift(
        verdict=verdict,
        alarms=", ".join(alarms),
        repeated_alarms=", ".join(repeated),
        num_new=num_new,
        psi={one.name.replace(" ", "_"): one.psi for one in shiftings},
    )


def _read_champion(models: registry.Registry, version_name: str, model_name: str, remarks: list[str]) -> _Champion:
    version = models.version(version_name, model_name)
    folder = models.model_dir(version.run_id)
    try:
        predictions = models.evaluation(version.run_id)[1]
    except sealed_files.DamagedError as error:  # `forget` erases rows of it, too
        predictions = None
        remarks.append(f"What the champion said on its test split can't be known, so it is not compared: {error}")
    return _Champion(version.name, folder, Provenance.read(folder), predictions)


def _new_rows(
    rows: pd.DataFrame, workspace: Path, champion: _Champion, remarks: list[str]
) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """Returns the rows that the champion's data set lacks, and that data set; all rows and None where it is gone."""
    folder = folders.dataset(workspace, champion.provenance.dataset_digest)
    if not folder.is_dir():
        remarks.append(
            "The champion's data are gone, so all images count as new, and neither their looks nor its embedding "
            "are compared"
        )
        return rows, None
    before = manifest.read(folder, ("sha256", "label", "width", "height", "problem", *_FACTS))
    return rows[~rows["sha256"].isin(before["sha256"])], before[before["problem"] == ""]


def _pairs(
    new: pd.DataFrame,
    before: pd.DataFrame | None,
    champion: _Champion,
    info: CropsInfo,
    faces_dir: str,
    workspace: Path,
    config: DriftConfig,
    remarks: list[str],
) -> Pairs:
    """Returns what is compared."""
    pairs = _paired(_looks(before), _looks(new)) if before is not None else {}
    tested = champion.predictions
    if tested is None:
        return pairs
    pairs |= _paired({"face found": tested["face_found"].to_numpy()}, {"face found": new["face_found"].to_numpy()})
    if Preprocess.read(champion.folder).crop != info.config:
        remarks.append("The champion wants faces that are cut in another way, so its answers are not compared")
        return pairs
    from expressnet.inference import bundle  # TensorFlow takes seconds to import, and often nothing is new

    model, size_px = bundle.Bundle(champion.folder), info.config["size_px"]
    found = model.predict_embedded(crop_pixels.load(faces_dir, _drawn(new, config), size_px, workspace / "work"))
    stored = (np.array(tested[column].tolist()) for column in ("probabilities", "expression_gates", "cnn_gates"))
    pairs |= _paired(_said(*stored), _said(*found.prediction))
    if before is None:  # the images that it was trained on count as new, and would lie elsewhere by themselves
        return pairs
    crops = _tested_crops(model, tested, faces_dir, workspace, champion, config)
    return pairs | {"embedding": (_finite(model.predict_embedded(crops).embedding), _finite(found.embedding))}


def _finite(embedding: np.ndarray) -> np.ndarray:
    """Returns an embedding with zeros for what is no number, so that a broken model ends no run here."""
    return np.nan_to_num(embedding, nan=0.0, posinf=0.0, neginf=0.0)


def _drawn(rows: pd.DataFrame, config: DriftConfig) -> pd.DataFrame:
    return rows.sort_values("sha256").head(config.sample)  # hashes are as good as a draw


def _tested_crops(
    model: bundle.Bundle,
    tested: pd.DataFrame,
    faces_dir: str,
    workspace: Path,
    champion: _Champion,
    config: DriftConfig,
) -> np.ndarray:
    """Returns crops of a sample of the champion's test split: those that are still among the data's, else cut anew."""
    wanted, rows = _drawn(tested, config)["sha256"], manifest.read(faces_dir)
    there = rows[rows["sha256"].isin(wanted)]
    if len(there) == len(wanted):
        return crop_pixels.load(faces_dir, there, model.preprocess.size_px, workspace / "work")
    dataset_dir = folders.dataset(workspace, champion.provenance.dataset_digest)
    return recrop.load(model, dataset_dir, wanted, workspace / "work")[1]


def _paired(before: dict[str, np.ndarray], now: dict[str, np.ndarray]) -> Pairs:
    return {name: (values, now[name]) for name, values in before.items()}


def _looks(rows: pd.DataFrame) -> dict[str, np.ndarray]:
    sides = rows[["width", "height"]].min(axis=1).to_numpy()
    return {"class": rows["label"].to_numpy(object), "size": sides, **{name: rows[name].to_numpy() for name in _FACTS}}


def _said(probabilities: np.ndarray, expression_gates: np.ndarray, cnn_gates: np.ndarray) -> dict[str, np.ndarray]:
    """Returns class and confidence of answers, and the expert with the largest gate of either mixture."""
    # As objects, for the place of a class or an expert is no number that is more or less.
    classes, *experts = (each.argmax(axis=1).astype(object) for each in (probabilities, expression_gates, cnn_gates))
    return {
        "predicted class": classes,
        "confidence": probabilities.max(axis=1),
        "expression expert": experts[0],
        "cnn expert": experts[1],
    }


def _repeated(workspace: Path, model_name: str, champion: str, digest: str, alarms: list[str]) -> list[str]:
    """Remembers the alarms of this state of the data; returns those that the state before it had as well."""
    path = workspace / _LOOKS_FOLDER / f"{model_name}.json"
    known = storage.read_json(path) if path.exists() else {}
    looks = known["looks"] if known.get("champion") == champion else []
    # The same state again is the same look, not a second one.
    looks = [look for look in looks if look["dataset_digest"] != digest][-1:]
    if champion:
        now = {"dataset_digest": digest, "alarms": alarms}
        storage.write_json(path, {"champion": champion, "looks": [*looks, now]})
    return [name for name in alarms if looks and name in looks[0]["alarms"]]


def _verdict(champion: str, num_new: int, found: list[distribution_shift.Shift], repeated: list[str]) -> str:
    if not champion:
        return "no champion to compare with"
    if not num_new:
        return f"no image that {champion} was not made of"
    told = [f"{one.name} (PSI {one.psi:.2f}, p {one.p_value:.1e})" for one in found if one.is_alarm]
    compared = f"{num_new:,} new images, {len(found)} figures compared with those of {champion}"
    if not told:
        return f"{compared}: no large shift"
    if repeated:
        return (
            f"{compared}: another {', '.join(told)}; for the second state of the data in a row: {', '.join(repeated)}"
        )
    return f"{compared}: another {', '.join(told)}; one alarm alone decides nothing"


def _page(verdict: str, found: list[distribution_shift.Shift]) -> str:
    return html.page(
        "drift.html.j2",
        verdict=verdict,
        figures=[
            (one.name, one.num_before, one.num_new, one.psi, one.p_value, "yes" if one.is_alarm else "no")
            for one in found
        ],
        how=" ".join((__doc__ or "").split("\n\n", 1)[1].split()),
    )


def _write(folder: Path, verdict: str, found: list[distribution_shift.Shift]) -> Path:
    shutil.rmtree(folder, ignore_errors=True)  # of a last try that ended here
    with storage.committed_dir(folder) as partial:
        DriftFigures(verdict=verdict, figures=[one._asdict() for one in found]).write(partial)
        storage.write_bytes(partial / REPORT_FILE, _page(verdict, found).encode())
    return folder
