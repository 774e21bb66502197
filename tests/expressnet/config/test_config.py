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
        (lambda: config.IngestConfig(limit=-1), "limit must be 0"),
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
    assert config.recipe("tiny", seed=1).epochs == config.RECIPES["tiny"].epochs
    assert config.recipe("tiny", seed=1, epochs=3).epochs == 3
