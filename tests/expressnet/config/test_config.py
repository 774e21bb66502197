import dataclasses
import pickle

import pytest

from expressnet import config


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: config.CropConfig(margin=1.0), r"margin must be in \[0, 1\); got 1.0"),
        (lambda: config.CropConfig(mode="paper", detector="short_range"), "detector must be auto or full_range in the"),
        (
            lambda: config.CropConfig(detector="yolo"),
            "detector must be one of auto, short_range, full_range; got 'yolo'",
        ),
        (lambda: config.SplitConfig(protocol="none"), "protocol must be one of honest, paper; got 'none'"),
        (lambda: config.SplitConfig(val_fraction=0.5), "val_fraction must be in"),
        (lambda: config.ValidateConfig(min_per_class=2), "min_per_class must be at least 3"),
        (lambda: config.EvaluateConfig(num_resamples=10), "num_resamples must be at least 100"),
        (lambda: config.PromoteConfig(min_gain=-0.1), "min_gain must be in"),
        (lambda: config.IngestConfig(limit=-1), "limit must be at least 0; got -1"),
        (lambda: config.SplitConfig(seed=2.5), "seed must be a whole number at least 0; got 2.5"),
        (lambda: config.SplitConfig(sead=1), "SplitConfig has no field 'sead'. Did you mean seed?"),
        (lambda: config.SplitConfig(protocol="honset"), "got 'honset'. Did you mean honest?"),
        (lambda: config.CropConfig(size_px=7), r"size_px must be in 8..1024; got 7"),
        (lambda: config.TrainConfig(learning_rate=0, epochs=1, batch_size=1), "learning_rate must be positive; got 0"),
        (lambda: config.TrainConfig(), "epochs must be given"),
        (lambda: config.recipe("huge", seed=1), "Unknown preset 'huge'; known are paper, small, tiny"),
    ],
)
def test_nonsense_is_refused_with_its_value(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_the_papers_recipe_is_the_authors_own():
    paper = config.recipe("paper", seed=52)
    assert (paper.epochs, paper.batch_size, paper.learning_rate) == (15, 32, 1e-4)
    assert (paper.decay, paper.label_smoothing, paper.patience) == (0.95, 0.1, 5)
    assert paper.augment is None
    assert paper.select_by == "accuracy"


def test_epochs_of_zero_keep_the_recipe():
    def epochs(given):
        return config.recipe(**config.chosen(config.TrainConfig, {"preset": "tiny", "epochs": given})).epochs

    assert (epochs(0), epochs(3)) == (config.RECIPES["tiny"].epochs, 3)


def test_whole_floats_are_the_integers_that_kubeflow_made_floats_of():
    assert repr(config.SplitConfig(seed=7.0).seed) == "7"


def test_settings_can_not_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError, match="seed"):
        config.SplitConfig().seed = 1


def test_settings_survive_pickling_as_workers_get_them():
    settings = config.recipe("small", seed=3)
    assert pickle.loads(pickle.dumps(settings)) == settings


@pytest.mark.parametrize(
    ("make", "left_out"),
    [
        (config.CropConfig, {"num_workers", "pictures"}),
        (config.SplitConfig, {"split_file", "kept_file"}),
        (lambda: config.recipe("tiny"), {"crop_cache", "backbone_weights", "initial_weights"}),
    ],
)
def test_a_digest_leaves_out_what_changes_no_result(make, left_out):
    settings = make()
    assert {field.name for field in dataclasses.fields(settings)} - set(config.digest_fields(settings)) == left_out
