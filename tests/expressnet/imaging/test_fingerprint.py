import numpy as np
import pytest

from expressnet.imaging import fingerprint


def test_colours_are_shares_of_the_values_of_each_channel():
    rgb = np.zeros((4, 4, 3), np.uint8)
    rgb[..., 1] = 255
    rgb[:2, :, 2] = 8
    (mean,) = [fingerprint.mean_colours([fingerprint.colours(rgb)])]
    red, green, blue = (dict(enumerate(channel)) for channel in mean)
    assert {place for place, share in red.items() if share} == {0}
    assert {place for place, share in green.items() if share} == {31}
    assert (blue[0], blue[1]) == pytest.approx((0.5, 0.5), abs=1e-4)


def test_every_image_counts_the_same_and_what_is_no_image_not_at_all():
    small, large = np.zeros((2, 2, 3), np.uint8), np.full((90, 90, 3), 255, np.uint8)
    mean = fingerprint.mean_colours([fingerprint.colours(small), b"", fingerprint.colours(large)])
    assert [(channel[0], channel[31]) for channel in mean] == [(0.5, 0.5)] * 3
    assert fingerprint.mean_colours([b""]) == []
