import json
import shutil

import numpy as np
import pytest
import tensorflow as tf

from expressnet.commands import export
from expressnet.inference import bundle


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "mirrored, bgr"])
def exported(request, trained, tmp_path_factory):
    """A model folder, the folder of its export and the report."""
    folder = tmp_path_factory.mktemp("exported")
    shutil.copytree(trained[0], folder / "model")
    if request.param:
        preprocess = json.loads((folder / "model/preprocess.json").read_text())
        preprocess |= {"test_time_flip": True, "channel_order": "bgr"}
        (folder / "model/preprocess.json").write_text(json.dumps(preprocess))
    return folder / "model", folder / "out", export.run(folder / "model", folder / "out").plain()


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(1).integers(0, 256, (5, 32, 32, 3), np.uint8)


def test_the_saved_model_takes_pixels_and_answers_like_the_model(exported, images):
    model_dir, out_dir, _ = exported
    server = tf.saved_model.load(str(out_dir / export.SAVED_MODEL))
    answer = server.serve(images)
    loaded = bundle.Bundle(model_dir)
    expected = loaded.predict(images).probabilities
    np.testing.assert_allclose(answer["probabilities"], expected, atol=1e-5)
    assert [name.decode() for name in answer["classes"].numpy()] == loaded.classes
    assert [name.decode() for name in answer["class"].numpy()] == [loaded.classes[best] for best in expected.argmax(1)]


def test_the_tflite_model_takes_pixels_and_answers_like_the_model(exported, images):
    model_dir, out_dir, _ = exported
    answer = export.run_tflite((out_dir / export.TFLITE_FILE).read_bytes(), images)
    np.testing.assert_allclose(answer, bundle.Bundle(model_dir).predict(images).probabilities, atol=1e-5)


def test_the_report_says_what_was_exported_and_how_close_it_is(exported):
    model_dir, out_dir, report = exported
    assert export.Export.read(out_dir).plain() == report
    assert report["model_digest"] == bundle.digest(model_dir)
    assert 0 <= report["largest_difference"] < 1e-4


def test_a_folder_that_holds_something_is_not_overwritten(exported, trained):
    with pytest.raises(FileExistsError, match="already holds something"):
        export.run(trained[0], exported[1])
