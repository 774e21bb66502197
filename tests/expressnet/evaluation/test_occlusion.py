import numpy as np

from expressnet.evaluation import occlusion
from expressnet.imaging import codec
from expressnet.inference import bundle

CLASSES = ["dark", "bright"]


class _Corner:
    """Answers `bright` as far as the upper left eighth of a picture is bright, and sees nothing else."""

    classes = CLASSES

    def predict(self, pixels):
        bright = pixels[:, :4, :4].mean(axis=(1, 2, 3)) / 255
        nothing = np.zeros((len(pixels), 0))
        return bundle.Prediction(np.column_stack([1 - bright, bright]), nothing, nothing)


def _crop():
    crop = np.zeros((32, 32, 3), np.uint8)
    crop[:4, :4] = 255
    return crop


def test_only_what_the_model_sees_is_hot():
    heat = occlusion.heat(_Corner(), _crop())
    assert heat.shape == (8, 8)
    assert np.unravel_index(heat.argmax(), heat.shape) == (0, 0)
    assert (heat[2:] == 0).all()
    assert (heat[:, 2:] == 0).all()


def test_a_map_shows_the_crop_beside_it_and_says_what_was_answered():
    (found,) = occlusion.maps(_Corner(), _crop()[None], ["0" * 64], np.array([0]), np.array([[0.1, 0.9]]))
    assert found.text == "label dark, answer bright (0.90)"
    height, width, _ = codec.decode_rgb(found.png).shape
    assert width == 2 * height


def test_sure_answers_are_chosen_right_and_wrong_ones_of_every_class():
    labels = np.array([0, 0, 0, 1, 1, 1])
    bright = np.array([0.1, 0.2, 0.9, 0.7, 0.95, 0.3])  # the third and the last are wrong
    chosen = occlusion.choose(labels, np.column_stack([1 - bright, bright]), 4)
    assert sorted(chosen[:2].tolist()) == [0, 4]
    assert sorted(chosen[2:].tolist()) == [2, 5]
