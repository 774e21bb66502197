"""A z-buffer rasteriser in numpy: camera, triangles to pixels, interpolation. Knows nothing of faces."""

import numpy as np


def rotation(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """Rotates about y, then x, then z (radians): float[3, 3], to be applied as `points @ matrix.T`."""
    (cy, cx, cz), (sy, sx, sz) = np.cos([yaw, pitch, roll]), np.sin([yaw, pitch, roll])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return about_z @ about_x @ about_y


def normalise(vectors: np.ndarray) -> np.ndarray:
    """Scales vectors[..., 3] to length 1; a zero vector stays zero."""
    length = np.sqrt((vectors**2).sum(axis=-1, keepdims=True))
    return vectors / np.maximum(length, 1e-12)


def vertex_normals(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Area-weighted unit normals: float[v, 3]; vertices of no triangle get zero."""
    a, b, c = (vertices[triangles[:, corner]] for corner in range(3))
    face_normals = np.cross(b - a, c - a)
    sums = [np.bincount(triangles.ravel(), np.repeat(face_normals[:, axis], 3), len(vertices)) for axis in range(3)]
    return normalise(np.stack(sums, axis=1))


def project(points: np.ndarray, distance: float, scale_px: float, centre_px: tuple[float, float]) -> np.ndarray:
    """Projects points in front of a pinhole camera that looks along -z.

    A point in the plane z = 0 lands `scale_px` pixels per unit from the centre; nearer ones farther out.

    Args:
        points: float[n, 3], y up, camera at (0, 0, distance).
        distance: camera to origin, same unit; infinity gives an orthographic picture.
        scale_px: pixels per unit in the plane z = 0.
        centre_px: where the origin lands (x, y), y down.

    Returns:
        float[n, 3]: x and y in pixels (y down), and the depth -z (smaller is nearer).
    """
    scale = scale_px / (1 - points[:, 2] / distance)
    x = centre_px[0] + scale * points[:, 0]
    y = centre_px[1] - scale * points[:, 1]
    return np.stack([x, y, -points[:, 2]], axis=1)


def _candidate_pixels(corners: np.ndarray, size_px: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lists every pixel in every triangle's bounding box, clipped to the picture.

    Args:
        corners: float[t, 3, 2], pixels.
        size_px: side of the square picture.

    Returns:
        int[n] triangle, int[n] column, int[n] row.
    """
    low = np.clip(np.ceil(corners.min(axis=1) - 0.5).astype(int), 0, size_px)
    high = np.clip(np.floor(corners.max(axis=1) - 0.5).astype(int) + 1, 0, size_px)
    width, height = np.maximum(high - low, 0).T
    counts = width * height
    triangle = np.repeat(np.arange(len(corners)), counts)
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    column = low[triangle, 0] + within % width[triangle]
    row = low[triangle, 1] + within // width[triangle]
    return triangle, column, row


def _barycentric(corners: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Weights of the three corners at the points (x, y): float[n, 3], summing to 1, negative outside.

    Args:
        corners: float[n, 3, 2] with non-zero area.
        x: float[n].
        y: float[n].
    """
    (ax, ay), (bx, by), (cx, cy) = corners.transpose(1, 2, 0)
    area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
    weight_b = ((x - ax) * (cy - ay) - (y - ay) * (cx - ax)) / area
    weight_c = ((bx - ax) * (y - ay) - (by - ay) * (x - ax)) / area
    return np.stack([1 - weight_b - weight_c, weight_b, weight_c], axis=1)


def rasterise(points: np.ndarray, triangles: np.ndarray, size_px: int) -> tuple[np.ndarray, np.ndarray]:
    """Finds the nearest triangle at every pixel centre; triangles seen from behind are left out.

    The weights are affine in the picture, not perspective-correct: triangles here are a few pixels wide.

    Args:
        points: float[v, 3] from `project`: pixels and depth.
        triangles: int[t, 3], counter-clockwise from the front (in the y-up frame).
        size_px: side of the square picture.

    Returns:
        int[size, size] triangle number or -1, and float[size, size, 3] corner weights (0 where -1).
    """
    corners = points[triangles]
    edge1, edge2 = corners[:, 1, :2] - corners[:, 0, :2], corners[:, 2, :2] - corners[:, 0, :2]
    front = np.flatnonzero(edge1[:, 0] * edge2[:, 1] - edge1[:, 1] * edge2[:, 0] < -1e-9)  # y is down
    candidate, column, row = _candidate_pixels(corners[front][..., :2], size_px)
    seen = corners[front][candidate]
    weights = _barycentric(seen[..., :2], column + 0.5, row + 0.5)
    inside = (weights >= 0).all(axis=1)
    weights, pixel = weights[inside], (row * size_px + column)[inside]
    depth = (weights * seen[inside, :, 2]).sum(axis=1)
    triangle = front[candidate[inside]]
    order = np.lexsort((triangle, depth, pixel))
    winners = order[np.unique(pixel[order], return_index=True)[1]]
    triangle_image, weight_image = np.full(size_px**2, -1), np.zeros((size_px**2, 3))
    triangle_image[pixel[winners]], weight_image[pixel[winners]] = triangle[winners], weights[winners]
    return triangle_image.reshape(size_px, size_px), weight_image.reshape(size_px, size_px, 3)


def interpolate(corner_values: np.ndarray, triangle_image: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Blends values given at triangle corners, float[t, 3, k], into a picture float[h, w, k]; 0 outside."""
    blended = (corner_values[triangle_image] * weights[..., None]).sum(axis=-2)
    return np.where(triangle_image[..., None] >= 0, blended, 0.0)
