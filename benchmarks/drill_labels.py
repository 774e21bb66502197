"""Plants wrong labels among real FER-2013 rows and looks for them: `python -m benchmarks.drill_labels`.

Needs the rows of FER-2013 beside the checkout (../shared/data). The probabilities are held out: of a classifier that
was not fitted on the row (histograms of gradients, kernel discriminants, five folds), or of the PublicTest rows by a
model folder that was trained on the Training rows (--model), which is the stronger. The exit code is 1 if less is found
than is asked, among all rows or among those whose label people confirmed.
"""

from __future__ import annotations

import argparse
import io
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from skimage.feature import hog
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.kernel_approximation import Nystroem
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from expressnet.datasets import fer2013, ferplus
from expressnet.evaluation import label_noise

ROWS = Path(__file__).resolve().parents[2] / "shared" / "data" / "fer2013_train_public.parquet"
RECALL, PRECISION = 0.5, 0.3
_SHARE = 0.05
_MOST_VOTES = 0.5


def main() -> int:
    """Prints recall and precision; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=12_000, help="without a model: so many of Training")
    parser.add_argument("--model", type=Path, help="a model folder trained on the Training rows; looks at PublicTest")
    parser.add_argument("--data", type=Path, default=ROWS, help="default: %(default)s")
    options = parser.parse_args()
    if not options.data.is_file():
        print(f"skipped: {options.data} is not there; the drill needs real rows of FER-2013")
        return 0
    rows = pd.read_parquet(options.data)
    usage = "PublicTest" if options.model else "Training"
    rows = rows[rows["usage"] == usage]
    rows = rows if options.model else rows.sample(min(options.rows, len(rows)), random_state=0)
    names = [fer2013.CODES[code] for code in rows["emotion"]]
    classes = sorted(set(names))
    labels = np.array([classes.index(name) for name in names])
    pictures = [np.asarray(Image.open(io.BytesIO(png)).convert("L")) for png in rows["png"]]
    agreed = _agreed(rows, np.array(names))
    parts = {"all rows": np.ones(len(rows), bool), "rows whose label most voters of FER+ share": agreed}
    results = []
    for title, chosen in parts.items():
        planted, noisy = _planted(labels[chosen], len(classes))
        shown = [picture for picture, is_chosen in zip(pictures, chosen, strict=True) if is_chosen]
        probabilities = _of_model(options.model, shown, classes) if options.model else _out_of_fold(shown, noisy)
        results.append(_say(title, labels[chosen], planted, noisy, probabilities))
    return 0 if all(results) else 1


def _agreed(rows: pd.DataFrame, names: np.ndarray) -> np.ndarray:
    """Returns bool[rows], whether more than half of the ten voters of FER+ gave the row its label."""
    votes = np.array(rows["ferplus_votes"].tolist())
    most = votes.argmax(axis=1)
    voted = np.array([*ferplus.EMOTIONS, "unknown", "no face"])[most]
    return (voted == names) & (votes.max(axis=1) > _MOST_VOTES * votes.sum(axis=1))


def _planted(labels: np.ndarray, num_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns which rows get another label, a twentieth, and all labels after that."""
    noise = np.random.default_rng(52)
    planted = np.zeros(len(labels), bool)
    planted[noise.choice(len(labels), round(_SHARE * len(labels)), replace=False)] = True
    other = (labels + noise.integers(1, num_classes, len(labels))) % num_classes
    return planted, np.where(planted, other, labels)


def _out_of_fold(pictures: list[np.ndarray], noisy: np.ndarray) -> np.ndarray:
    histograms = np.array([hog(one, 8, (6, 6), (2, 2)) for one in pictures], np.float32)
    # Neither looks at labels, so both may see all rows.
    parts = PCA(min(200, len(pictures)), svd_solver="randomized", random_state=0).fit_transform(histograms)
    distances = parts / (parts.std() * np.sqrt(parts.shape[1]))
    features = Nystroem(gamma=0.5, n_components=min(1500, len(pictures)), random_state=0).fit_transform(distances)
    classifier = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.01)
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    return cross_val_predict(classifier, features, noisy, cv=folds, method="predict_proba")


def _of_model(folder: Path, pictures: list[np.ndarray], classes: list[str]) -> np.ndarray:
    from expressnet.faces import alignment
    from expressnet.inference import bundle

    model = bundle.Bundle(folder)
    size_px = model.preprocess.size_px
    crops = [alignment.whole(np.repeat(one[..., None], 3, axis=2), size_px) for one in pictures]
    probabilities = model.predict(np.array(crops)).probabilities
    return probabilities[:, [model.classes.index(name) for name in classes]]


def _say(title: str, labels: np.ndarray, planted: np.ndarray, noisy: np.ndarray, probabilities: np.ndarray) -> bool:
    """Prints what all suspects are worth, and the strong ones; says whether the latter suffice."""
    doubted = label_noise.find(noisy, probabilities)
    strong = doubted & (probabilities[np.arange(len(noisy)), noisy] < label_noise.STRONG_BELOW)
    print(
        f"{title}: {planted.sum():,} of {len(labels):,} labels changed; the classifier agrees with "
        f"{(probabilities.argmax(axis=1) == labels).mean():.3f} of the labels as published"
    )
    for name, found in (("all", doubted), (f"of probability under {label_noise.STRONG_BELOW}", strong)):
        print(
            f"  suspects, {name}: {found.sum():,}, recall {found[planted].mean():.2f}, precision "
            f"{planted[found].mean():.2f} (asked {RECALL} and {PRECISION}; what was wrong before counts against it)",
            flush=True,
        )
    return strong[planted].mean() >= RECALL and planted[strong].mean() >= PRECISION


if __name__ == "__main__":
    sys.exit(main())
