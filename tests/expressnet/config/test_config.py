import dataclasses
import pickle

import pytest

from expressnet.config.base import chosen, digest_fields
from expressnet.config.crop import CropConfig
from expressnet.config.evaluate import EvaluateConfig
from expressnet.config.ingest import IngestConfig
from expressnet.config.promote import PromoteConfig
from expressnet.config.split import SplitConfig
from expressnet.config.train import RECIPES, TrainConfig, recipe
from expressnet.config.validate import ValidateConfig


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: CropConfig(margin=1.0), r"margin must be in \[0, 1\); got 1.0"),
        (lambda: CropConfig(mode="paper", detector="short_range"), "detector must be auto or full_range in the"),
        (
            lambda: CropConfig(detector="yolo"),
            "detector must be one of auto, short_range, full_range; got 'yolo'",
        ),
        (lambda: SplitConfig(protocol="none"), "protocol must be one of honest, paper; got 'none'"),
        (lambda: SplitConfig(val_fraction=0.5), "val_fraction must be in"),
        (lambda: ValidateConfig(min_per_class=2), "min_per_class must be at least 3"),
        (lambda: EvaluateConfig(num_resamples=10), "num_resamples must be at least 100"),
        (lambda: PromoteConfig(min_gain=-0.1), "min_gain must be in"),
        (lambda: IngestConfig(limit=-1), "limit must be at least 0; got -1"),
        (lambda: SplitConfig(seed=2.5), "seed must be a whole number at least 0; got 2.5"),
        (lambda: SplitConfig(sead=1), "SplitConfig has no field 'sead'. Did you mean seed?"),
        (lambda: SplitConfig(protocol="honset"), "got 'honset'. Did you mean honest?"),
        (lambda: CropConfig(size_px=7), r"size_px must be in 8..1024; got 7"),
        (lambda: TrainConfig(learning_rate=0, epochs=1, batch_size=1), "learning_rate must be positive; got 0"),
        (lambda: TrainConfig(), "epochs must be given"),
        (lambda: recipe("huge", seed=1), "Unknown preset 'huge'; known are paper, small, tiny"),
    ],
)
def test_nonsense_is_refused_with_its_value(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_the_papers_recipe_is_the_authors_own():
    paper = recipe("paper", seed=52)
    assert (paper.epochs, paper.batch_size, paper.learning_rate) == (15, 32, 1e-4)
    assert (paper.decay, paper.label_smoothing, paper.patience) == (0.95, 0.1, 5)
    assert paper.augment is None
    assert paper.select_by == "accuracy"


def test_epochs_of_zero_keep_the_recipe():
    def epochs(given):
        return recipe(**chosen(TrainConfig, {"preset": "tiny", "epochs": given})).epochs

    assert (epochs(0), epochs(3)) == (RECIPES["tiny"].epochs, 3)


def test_whole_floats_are_the_integers_that_kubeflow_made_floats_of():
    assert repr(SplitConfig(seed=7.0).seed) == "7"


def test_settings_can_not_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError, match="seed"):
        SplitConfig().seed = 1


def test_settings_survive_pickling_as_workers_get_them():
    settings = recipe("small", seed=3)
    assert pickle.loads(pickle.dumps(settings)) == settings


@pytest.mark.parametrize(
    ("make", "left_out"),
    [
        (CropConfig, {"num_workers", "pictures"}),
        (SplitConfig, {"split_file", "kept_file"}),
        (lambda: recipe("tiny"), {"crop_cache", "backbone_weights", "initial_weights"}),
    ],
)
def test_a_digest_leaves_out_what_changes_no_result(make, left_out):
    settings = make()
    assert {field.name for field in dataclasses.fields(settings)} - set(digest_fields(settings)) == left_out
