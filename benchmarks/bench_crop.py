"""Cropping once against the authors' detection in the training loop. `python -m benchmarks.bench_crop`.

The peer is the authors' generator, line by line as they publish it: cv2.imread, BlazeFace's full-range model under a
lock, crop, resize to 224 px. Photographs are made from the demo set's faces on a larger background.
"""

from __future__ import annotations

import csv
import itertools
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

import cv2
import numpy as np

from expressnet.config.crop import CropConfig
from expressnet.config.ingest import IngestConfig
from expressnet.data import manifest, shards
from expressnet.faces import alignment, blazeface, crop_pixels, cropper
from expressnet.imaging import codec
from expressnet.runtime import cpus, workers
from expressnet.stages import crop, ingest

DEMO = Path(__file__).resolve().parents[1] / "data" / "demo"
NUM_PHOTOS = 6000
NUM_EXTRA = 60
NUM_TIMED, NUM_TO_WARM = 2000, 256
NUM_EPOCHS = 3
BATCH = 32
SIZE_PX = 224
ROUNDS = 3

_cropper: cropper.Cropper


def write_photos(root: Path, count: int) -> list[Path]:
    """Writes JPEGs of 320 to 512 px with one face each, in class folders."""
    rng = np.random.default_rng(0)
    with (DEMO / "labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    paths = []
    for number in range(count):
        row = rows[number % len(rows)]
        side = int(rng.integers(320, 513))
        face_px = int(side * rng.uniform(0.35, 0.6))
        photo = cv2.GaussianBlur(rng.integers(0, 256, (side, side, 3), dtype=np.uint8), (0, 0), 9)
        face = cv2.resize(cv2.imread(str(DEMO / row["file"])), (face_px, face_px), interpolation=cv2.INTER_CUBIC)
        left, top = rng.integers(0, side - face_px, 2)
        photo[top : top + face_px, left : left + face_px] = face
        path = root / row["label"] / f"{number:05d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), photo)
        paths.append(path)
    return paths


class Authors:
    """The authors' generator: detection in every epoch, one detector under a lock."""

    def __init__(self) -> None:
        self._detector = blazeface.Detector(blazeface.model_path("full_range"), 0.5)
        self._lock = threading.Lock()

    def load(self, path: Path) -> np.ndarray:
        """Returns uint8[224, 224, 3], BGR."""
        image = cv2.imread(str(path))
        with self._lock:
            found = self._detector.detect(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
        height, width = image.shape[:2]
        box_xyxy = alignment.paper_box(found[0], (height, width)) if found else (0, 0, width, height)
        return alignment.cut_paper(image, box_xyxy, SIZE_PX)

    def epoch(self, paths: list[Path]) -> None:
        """Makes one epoch of batches."""
        for start in range(0, len(paths), BATCH):
            np.stack([self.load(path) for path in paths[start : start + BATCH]])


def our_epoch(loaded: np.ndarray, epoch: int) -> None:
    """Makes one epoch of batches, shuffled, from crops that are loaded."""
    order = np.random.default_rng(epoch).permutation(len(loaded))
    for start in range(0, len(order), BATCH):
        loaded[order[start : start + BATCH]]


def seconds(work, *arguments) -> float:
    """Returns how long a call takes."""
    started = time.perf_counter()
    work(*arguments)
    return time.perf_counter() - started


def told(name: str, value: float, asked: float, *, at_most: bool = False) -> bool:
    """Prints one figure; says whether it is met."""
    is_met = value <= asked if at_most else value >= asked
    print(
        f"{name}: {value:.2f}, asked {'at most' if at_most else 'at least'} {asked:g}{'' if is_met else '  MISSED'}",
        flush=True,
    )
    return is_met


def start_cropper() -> None:
    """Makes what `crop_file` takes, once in a process."""
    global _cropper
    cv2.setNumThreads(1)
    _cropper = cropper.Cropper(CropConfig(size_px=SIZE_PX))


def crop_file(path: Path) -> int:
    """Reads, decodes and cuts one photograph; returns the side of its crop, pixels."""
    return len(_cropper.cut(codec.decode_stored(path.read_bytes())).square)


def ours_s(paths: list[Path], num_workers: int) -> float:
    """Returns seconds per image of processes that are started already, as in a data set of many."""
    cut = workers.run(crop_file, paths, num_workers=num_workers, start=start_cropper, timeout_s=60)
    rest = len(paths) - sum(1 for _ in itertools.islice(cut, NUM_TO_WARM))
    started = time.perf_counter()
    assert set(cut) == {SIZE_PX}
    return (time.perf_counter() - started) / rest


def authors_s(authors: Authors, paths: list[Path], num_threads: int) -> float:
    """Returns seconds per image of threads that share the detector and its lock."""
    with ThreadPoolExecutor(num_threads) as pool:
        started = time.perf_counter()
        for _ in pool.map(authors.load, paths):
            pass
        return (time.perf_counter() - started) / len(paths)


def per_image(paths: list[Path]) -> bool:
    """Times one image the authors' way and ours, in turns: on one core, and as fast as the machine makes each."""
    cv2.setNumThreads(1)
    authors, num_cpus = Authors(), cpus.num_usable()
    ratios = {}
    for count in (1, num_cpus):
        pairs = [
            (authors_s(authors, paths[:NUM_TIMED], count), ours_s(paths[:NUM_TIMED], count)) for _ in range(ROUNDS)
        ]
        theirs, ours = (median(times) for times in zip(*pairs, strict=True))
        ratios[count] = theirs / ours
        print(
            f"per image, {count} threads against {count} processes: authors {1e3 * theirs:.2f} ms, aligned "
            f"{1e3 * ours:.2f} ms, {ratios[count]:.2f} x faster",
            flush=True,
        )
    return told("aligned against the authors' way, per image, all cores, x faster", ratios[num_cpus], 3)


def epochs_of_input(paths: list[Path], dataset: str, folder: Path) -> bool:
    """Times three epochs of input: detection in the loop against crops made once and loaded once, as train does."""
    authors = Authors()
    once, loading, theirs, ours = [], [], [], []
    for number in range(ROUNDS):
        once.append(seconds(crop.run, dataset, folder / f"epochs{number}", CropConfig(size_px=SIZE_PX)))
        crops = str(next((folder / f"epochs{number}").glob("*/crops.json")).parent)
        rows = manifest.read(crops)
        started = time.perf_counter()
        loaded = crop_pixels.load(crops, rows, SIZE_PX, folder)
        loading.append(time.perf_counter() - started)
        theirs.append(seconds(authors.epoch, paths))
        ours.append(seconds(our_epoch, loaded, number))
    times = {"authors' epoch": theirs, "cropping": once, "loading": loading, "our epoch": ours}
    print("seconds: " + ", ".join(f"{name} {median(found):.2f}" for name, found in times.items()))
    whole = NUM_EPOCHS * median(theirs) / (median(once) + median(loading) + NUM_EPOCHS * median(ours))
    return all(
        [
            told(f"{NUM_EPOCHS} epochs of input against the authors', x faster", whole, 3),
            told("an epoch from the second on, x faster", median(theirs) / median(ours), 10),
        ]
    )


def by_workers(dataset: str, folder: Path) -> bool:
    """Times one and two processes in turns, and compares what 1, 2 and 4 write."""
    times: dict[int, list[float]] = {1: [], 2: []}
    for number in range(ROUNDS):
        for count in times:
            settings = CropConfig(size_px=SIZE_PX, num_workers=count)
            times[count].append(seconds(crop.run, dataset, folder / f"workers{count}-{number}", settings))
    crop.run(dataset, folder / "workers4-0", CropConfig(size_px=SIZE_PX, num_workers=4))
    written = [
        {path.name: path.read_bytes() for path in (folder / f"workers{count}-0").rglob("shards/*")}
        for count in (1, 2, 4)
    ]
    print(f"shards of 1, 2 and 4 processes are {'the same' if written[0] == written[1] == written[2] else 'DIFFERENT'}")
    is_faster = told("two processes against one, x faster", median(times[1]) / median(times[2]), 1.7)
    return is_faster and written[0] == written[1] == written[2]


def growth(paths: list[Path], folder: Path, tree: Path) -> bool:
    """Adds 1 % of photographs and counts the shard bytes that are written anew."""
    before = {path.stat().st_ino for path in (folder / "datasets").rglob("shards/*.tar")}
    write_photos(tree, NUM_PHOTOS + NUM_EXTRA)
    grown = Path(ingest.run(str(tree), folder / "datasets", IngestConfig(dataset="folder")).plain()["path"])
    found = [path.stat() for path in (grown / shards.FOLDER).glob("*.tar")]
    anew = sum(stat.st_size for stat in found if stat.st_ino not in before) / sum(stat.st_size for stat in found)
    return told("shard bytes written anew after 1 % was added, share", anew, 0.02, at_most=True)


def main() -> int:
    """Runs everything; returns 1 if a figure was missed."""
    with tempfile.TemporaryDirectory() as scratch:
        folder, tree = Path(scratch), Path(scratch) / "tree"
        paths = write_photos(tree, NUM_PHOTOS)
        dataset = ingest.run(str(tree), folder / "datasets", IngestConfig(dataset="folder")).plain()["path"]
        met = [
            per_image(paths),
            epochs_of_input(paths, dataset, folder),
            by_workers(dataset, folder),
            growth(paths, folder, tree),
        ]
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
