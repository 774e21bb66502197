import dataclasses
import itertools
import pickle
import zipfile

import h5py
import keras
import numpy as np
import pytest

from expressnet.config.train import recipe
from expressnet.inference import bundle
from expressnet.model import presets, resnet50
from expressnet.runtime import storage
from expressnet.sources import bucket
from expressnet.stages import train
from expressnet.training import backbone_weights
from tests.made import object_store


@pytest.fixture(scope="module")
def backbone():
    return resnet50.build_backbone(presets.PAPER, itertools.count())


def _published(layer):
    """The name that the published file gives a layer of ours."""
    name = layer.replace("conv1_7x7_s2", "conv1/7x7_s2")
    return f"{name.removesuffix('_bn')}/bn" if name.endswith("_bn") else name


def _arrays(backbone):
    chance = np.random.default_rng(0)
    return {
        _published(layer.name): {
            weight.name: chance.uniform(0.1, 1, weight.shape).astype(np.float32) for weight in layer.weights
        }
        for layer in backbone.layers
        if layer.weights
    }


def _write(path, layers, root=""):
    """Writes the layout of Keras 2: lists of names as attributes, arrays below their layers' groups."""
    with h5py.File(path, "w") as file:
        top = file.require_group(root) if root else file
        top.attrs["layer_names"] = [name.encode() for name in layers]
        for layer, weights in layers.items():
            group = top.require_group(layer)
            group.attrs["weight_names"] = [f"{layer}/{name}:0".encode() for name in weights]
            for name, values in weights.items():
                group[f"{layer}/{name}:0"] = values
    return path


def _load(backbone, path):
    return backbone_weights.load_into(backbone, str(path), storage.file_sha256(path), path.parent)


@pytest.fixture
def published(backbone, tmp_path):
    """A file of the published layout and what is in it."""
    layers = _arrays(backbone)
    return _write(tmp_path / "weights.h5", layers), layers


@pytest.mark.parametrize("root", ["", "model_weights"])
def test_the_published_layout_is_read_whole(backbone, tmp_path, root):
    layers = _arrays(backbone)
    origin = _load(backbone, _write(tmp_path / "weights.h5", layers, root))
    assert origin.startswith("VGGFace2 weights (non-commercial research only), sha256 ")
    for layer in backbone.layers:
        for weight in layer.weights:
            np.testing.assert_array_equal(weight, layers[_published(layer.name)][weight.name])


def test_a_file_in_a_bucket_is_read_too(backbone, published, tmp_path, monkeypatch):
    path, layers = published
    sha256 = storage.file_sha256(path)
    with object_store.running() as address:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", address)
        client = bucket.client()
        client.create_bucket("weights").blob("vggface2.h5").upload_from_filename(str(path))
        client.close()
        backbone_weights.load_into(backbone, "gs://weights/vggface2.h5", sha256, tmp_path)
        with pytest.raises(ValueError, match="There is no object gs://weights/other"):
            backbone_weights.load_into(backbone, "gs://weights/other", sha256, tmp_path)
    np.testing.assert_array_equal(backbone.get_layer("conv5_3_3x3").get_weights()[0], layers["conv5_3_3x3"]["kernel"])


def test_imagenet_weights_compute_what_keras_computes(backbone, tmp_path):
    """A unit of keras.applications (convolution with bias, its epsilon) and ours answer alike."""
    chance = np.random.default_rng(0)
    shapes = {
        f"{layer.name}/{weight.name}": tuple(weight.shape) for layer in backbone.layers for weight in layer.weights
    }
    layers = {}
    for key, shape in backbone_weights._imagenet_shapes(shapes).items():
        layer, name = key.split("/")
        layers.setdefault(layer, {})[name] = chance.uniform(0.1, 1, shape).astype(np.float32)
    origin = _load(backbone, _write(tmp_path / "weights.h5", layers))
    assert origin.startswith("ImageNet weights (keras.applications ResNet50), adapted, sha256 ")
    maps = chance.uniform(size=(2, 5, 5, 64)).astype(np.float32)
    theirs = keras.Sequential(
        [
            keras.Input((5, 5, 64)),
            keras.layers.Conv2D(64, 3, padding="same"),
            keras.layers.BatchNormalization(epsilon=1.001e-5),
        ]
    )
    unit = {**layers["conv2_block1_2_conv"], **layers["conv2_block1_2_bn"]}
    theirs.set_weights([unit[name] for name in ("kernel", "bias", "gamma", "beta", "moving_mean", "moving_variance")])
    ours = backbone.get_layer("conv2_1_3x3_bn")(backbone.get_layer("conv2_1_3x3")(maps))
    np.testing.assert_allclose(ours, theirs(maps), rtol=1e-3, atol=1e-3)


def test_the_names_are_those_of_keras_applications():
    theirs = keras.applications.ResNet50(include_top=False, weights=None)
    layers = {layer.name: {weight.name for weight in layer.weights} for layer in theirs.layers if layer.weights}
    assert set(layers) == set(backbone_weights._imagenet_names())


def test_a_file_with_another_digest_is_not_even_opened(backbone, published):
    path, _ = published
    for sha256 in ("", "0" * 64):
        with pytest.raises(ValueError, match=rf"got {sha256 or 'none'}, but the file has {storage.file_sha256(path)}"):
            backbone_weights.load_into(backbone, str(path), sha256, path.parent)


def test_one_message_lists_what_is_missing_extra_and_of_another_shape(backbone, published, tmp_path):
    layers = {name: dict(weights) for name, weights in published[1].items()}
    del layers["conv3_1_3x3"], layers["conv3_1_3x3/bn"]["beta"]
    layers["classifier"] = {"kernel": np.zeros((2048, 10))}
    layers["conv1/7x7_s2"]["kernel"] = np.zeros((7, 7, 1, 64), np.float32)
    before = backbone.get_weights()[0].copy()
    with pytest.raises(ValueError, match="does not fit the backbone") as error:
        _load(backbone, _write(tmp_path / "wrong.h5", layers))
    for part in (
        "2 missing (conv3_1_3x3/kernel, conv3_1_3x3_bn/beta)",
        "1 extra (classifier/kernel)",
        "1 of another shape (conv1_7x7_s2/kernel (7, 7, 1, 64) instead of (7, 7, 3, 64))",
    ):
        assert part in str(error.value)
    np.testing.assert_array_equal(backbone.get_weights()[0], before)


def test_a_backbone_of_another_preset_is_refused(published):
    small = resnet50.build_backbone(presets.TINY, itertools.count())
    with pytest.raises(ValueError, match=r"does not fit the backbone: .*Is the preset `paper`"):
        _load(small, published[0])


CANARY = "canary"


class _Touch:
    def __init__(self, path):
        self._path = path

    def __reduce__(self):
        return (open, (str(self._path), "w"))


def _target(file):
    return file["conv2_1_3x3/conv2_1_3x3"], "kernel:0"


def _external_link(path, secret):
    with h5py.File(path, "a") as file:
        group, name = _target(file)
        del group[name]
        group[name] = h5py.ExternalLink(str(secret), "conv2_1_3x3/conv2_1_3x3/kernel:0")


def _external_group(path, secret):
    with h5py.File(path, "a") as file:
        del file["conv2_1_3x3"]
        file["conv2_1_3x3"] = h5py.ExternalLink(str(secret), "conv2_1_3x3")


def _soft_link(path, _secret):
    with h5py.File(path, "a") as file:
        group, name = _target(file)
        del group[name]
        group[name] = h5py.SoftLink("/conv2_2_3x3/conv2_2_3x3/kernel:0")


def _external_storage(path, secret):
    with h5py.File(path, "a") as file:
        group, name = _target(file)
        del group[name]
        group.create_dataset(name, (3, 3, 64, 64), "f4", external=[(str(secret), 0, h5py.h5f.UNLIMITED)])


def _virtual(path, secret):
    with h5py.File(path, "a") as file:
        group, name = _target(file)
        del group[name]
        layout = h5py.VirtualLayout((3, 3, 64, 64), "f4")
        layout[:] = h5py.VirtualSource(str(secret), "conv2_1_3x3/conv2_1_3x3/kernel:0", (3, 3, 64, 64))
        group.create_virtual_dataset(name, layout)


def _shape_bomb(path, _secret):
    with h5py.File(path, "a") as file:
        group, name = _target(file)
        del group[name]
        group.create_dataset(name, (2**20, 2**20, 64, 64), "f4", chunks=(1, 1, 64, 64))


def _typed(dtype, value):
    def write(path, _secret):
        with h5py.File(path, "a") as file:
            group, name = _target(file)
            del group[name]
            group.create_dataset(name, (3, 3, 64, 64), dtype, fillvalue=value)

    return write


def _not_finite(path, _secret):
    with h5py.File(path, "a") as file:
        group, name = _target(file)
        group[name][0, 0, 0, 0] = np.inf


def _names_bomb(path, _secret):
    with h5py.File(path, "a") as file:
        file.attrs["layer_names"] = np.array([b"x"] * 5000)


def _group_instead(path, _secret):
    with h5py.File(path, "a") as file:
        group, name = _target(file)
        del group[name]
        group.create_group(name)


def _pickle(path, secret):
    path.write_bytes(pickle.dumps(_Touch(secret.with_name(CANARY))))


def _keras_archive(path, _secret):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", '{"class_name": "Lambda"}')


ATTACKS = {
    "external link": (_external_link, "is a link"),
    "external group": (_external_group, "is a link"),
    "soft link": (_soft_link, "is a link"),
    "external storage": (_external_storage, "lies in another file"),
    "virtual data set": (_virtual, "lies in another file"),
    "shape bomb": (_shape_bomb, "1 of another shape"),
    "objects": (_typed(h5py.string_dtype(), "x"), "not floating-point numbers"),
    "references": (_typed(h5py.ref_dtype, None), "not floating-point numbers"),
    "integers": (_typed("i8", 1), "not floating-point numbers"),
    "infinity": (_not_finite, "not finite"),
    "bomb of names": (_names_bomb, "is no list of at most"),
    "group": (_group_instead, "is not an array"),
    "pickle": (_pickle, "is not a file of weights"),
    "Keras archive": (_keras_archive, "is not a file of weights"),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_malicious_file_is_refused_and_touches_nothing(backbone, published, attack):
    path, _ = published
    secret = path.with_name("secret.h5")
    secret.write_bytes(path.read_bytes())
    before = backbone.get_layer("conv2_1_3x3").get_weights()[0].copy()
    write, message = ATTACKS[attack]
    write(path, secret)
    with pytest.raises(ValueError, match=message):
        _load(backbone, path)
    assert not secret.with_name(CANARY).exists()
    np.testing.assert_array_equal(backbone.get_layer("conv2_1_3x3").get_weights()[0], before)


@pytest.mark.slow
def test_a_training_begins_at_the_weights_of_the_file_and_names_them(
    backbone, published, crops_and_split, tmp_path, monkeypatch
):
    path, layers = published
    wide = {
        name: getattr(presets.PAPER, name)
        for name in (
            "stem_filters",
            "stem_kernel",
            "stem_stride",
            "stem_pool",
            "stage_filters",
            "stage_blocks",
            "bottleneck",
        )
    }
    monkeypatch.setitem(presets.PRESETS, "tiny", dataclasses.replace(presets.TINY, **wide))
    settings = dataclasses.replace(
        recipe("tiny", seed=1, epochs=1),
        learning_rate=1e-20,
        warmup_epochs=0.0,
        backbone_weights=str(path),
        backbone_sha256=storage.file_sha256(path),
    )
    train.run(*crops_and_split, str(tmp_path / "model"), str(tmp_path / "work"), settings)
    provenance = storage.read_json(tmp_path / "model/provenance.json")
    assert provenance["backbone_weights"].startswith("VGGFace2 weights (non-commercial research only), sha256 ")
    trained = bundle.Bundle(tmp_path / "model").model.get_layer("backbone")
    for layer in trained.layers:
        for weight in layer.trainable_weights:
            np.testing.assert_array_equal(weight, layers[_published(layer.name)][weight.name], err_msg=weight.path)
