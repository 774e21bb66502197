"""Whether two samples of vectors come from one distribution: energy distance with a permutation test."""

from __future__ import annotations

import numpy as np
from scipy.spatial import distance

_PERMUTATIONS_AT_ONCE = 250
_ENOUGH_AS_FAR = 20  # dealings that lie as far apart: p is large then, and more of them would only say so again


def p_value(before: np.ndarray, now: np.ndarray, *, num_permutations: int, seed: int) -> float:
    """Tests that two samples are of one distribution.

    The statistic is the energy distance, which is 0 for equal distributions only (Szekely and Rizzo 2004). It is
    compared with that of the same vectors dealt out anew, so that without a difference, and with independent vectors,
    p <= a happens in a share a of all cases at most, whatever the distribution (Phipson and Smyth 2010). The dealing
    ends when it is clear that p is large (Besag and Clifford 1991), which keeps that promise.

    Args:
        before: float[n, dim].
        now: float[m, dim].
        num_permutations: p can't fall below 1 / (num_permutations + 1).
        seed: of the dealing.

    Raises:
        ValueError: a sample is empty, a value is not finite, or the vectors have different lengths.

    >>> noise = np.random.default_rng(1)
    >>> first, second = noise.normal(size=(2, 40, 3))
    >>> p_value(first, second + 1, num_permutations=999, seed=52)
    0.001
    >>> p_value(first, second, num_permutations=999, seed=52) > 0.05
    True
    """
    if not len(before) or not len(now) or before.shape[1:] != now.shape[1:]:
        raise ValueError(f"Needs two samples of vectors of one length; got {before.shape} and {now.shape}.")
    joined = np.concatenate([before, now]).astype(np.float64)
    if not np.isfinite(joined).all():
        raise ValueError(f"Needs finite vectors; {int((~np.isfinite(joined)).any(axis=1).sum())} of them are not.")
    distances = distance.squareform(distance.pdist(joined))
    # With 1/n for the first sample and -1/m for the second, minus the quadratic form is the energy distance.
    weights = np.concatenate([np.full(len(before), 1 / len(before)), np.full(len(now), -1 / len(now))])
    observed = -weights @ distances @ weights
    generator, num_as_far = np.random.default_rng(seed), 0
    as_far_as = observed - 1e-12 * abs(observed)  # sums in another order end in other digits
    for start in range(0, num_permutations, _PERMUTATIONS_AT_ONCE):
        count = min(_PERMUTATIONS_AT_ONCE, num_permutations - start)
        dealt = generator.permuted(np.tile(weights, (count, 1)), axis=1)
        found = -((dealt @ distances) * dealt).sum(axis=1)
        seen = num_as_far + np.cumsum(found >= as_far_as)
        num_as_far = int(seen[-1])
        if num_as_far >= _ENOUGH_AS_FAR:
            return _ENOUGH_AS_FAR / (start + 1 + int(np.searchsorted(seen, _ENOUGH_AS_FAR)))
    return (1 + num_as_far) / (num_permutations + 1)
