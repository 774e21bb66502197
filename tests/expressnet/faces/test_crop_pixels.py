import numpy as np
import pytest

from expressnet.data import manifest, shards
from expressnet.faces import crop_pixels
from expressnet.imaging import codec


def test_crops_come_back_in_the_order_of_the_rows(crops_and_split, tmp_path):
    rows = manifest.read(crops_and_split[0]).iloc[[5, 0, 3]]
    loaded = crop_pixels.load(crops_and_split[0], rows, 32, tmp_path)
    reader = shards.Reader(crops_and_split[0])
    for pixel, location in zip(loaded, shards.locate(rows), strict=True):
        np.testing.assert_array_equal(pixel, codec.decode_rgb(reader.read(location)))


def test_many_crops_lie_in_a_file_that_is_gone_with_the_array(crops_and_split, tmp_path, monkeypatch):
    rows = manifest.read(crops_and_split[0])
    in_memory = crop_pixels.load(crops_and_split[0], rows, 32, tmp_path)
    monkeypatch.setattr(crop_pixels, "_MAX_IN_MEMORY_BYTES", 1000)
    in_file = crop_pixels.load(crops_and_split[0], rows, 32, tmp_path)
    assert isinstance(in_file, np.memmap)
    np.testing.assert_array_equal(in_file, in_memory)
    assert not list(tmp_path.iterdir())


def test_another_size_is_refused(crops_and_split, tmp_path):
    with pytest.raises(ValueError, match="takes 48x48 crops, but the crops are 32x32"):
        crop_pixels.load(crops_and_split[0], manifest.read(crops_and_split[0]), 48, tmp_path)


def test_memory_of_a_batch_is_used_again_only_when_nobody_looks_at_it():
    crops = np.arange(4 * 8 * 8 * 3, dtype=np.uint8).reshape(4, 8, 8, 3)
    batches = crop_pixels.Batches()
    first = batches.scaled(crops, np.array([0, 1]))
    corner, expected = first[1, :2], crops[1, :2] / np.float32(255)
    address = first.ctypes.data
    del first  # the corner still looks at it
    second = batches.scaled(crops, np.array([2, 3]))
    assert second.ctypes.data != address
    np.testing.assert_array_equal(corner, expected)
    del corner
    third = batches.scaled(crops, np.array([3, 0]))
    assert third.ctypes.data == address
    np.testing.assert_array_equal(third, crops[[3, 0]] / np.float32(255))
    np.testing.assert_array_equal(second, crops[[2, 3]] / np.float32(255))
