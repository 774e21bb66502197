"""Every option is declared once, by a field."""

import pytest

from expressnet.config import base, options
from expressnet.config.train import RECIPES, TrainConfig, recipe


@base.settings
class _Sharpened:
    sharpen: float = base.option(0.5, "how much", ge=0, le=1)
    mode: str = base.option("plain", "how", name="sharpen_mode", flag="sharpen_how")
    radius_px: int = base.option(about="radius; 0 is the preset's", ge=1, derived=0)
    internal: int = base.setting(3, "nobody's business")


def test_the_fields_made_by_option_are_the_options():
    found = options.of_classes(_Sharpened)
    assert list(found) == ["sharpen", "sharpen_mode", "radius_px"]
    assert (found["sharpen"].kind, found["sharpen"].default, found["sharpen"].requirement) == (float, 0.5, "in [0, 1]")
    assert found["sharpen_mode"].flag == "sharpen_how"
    assert (found["radius_px"].default, found["radius_px"].requirement) == (0, "at least 1, or 0")


def test_chosen_options_become_fields_and_derived_ones_are_left_out():
    values = {"sharpen": 0.1, "sharpen_mode": "hard", "radius_px": 0, "seed": 3}
    assert base.chosen(_Sharpened, values) == {"sharpen": 0.1, "mode": "hard"}
    assert base.chosen(_Sharpened, {**values, "radius_px": 4})["radius_px"] == 4


def test_recorded_fields_become_flags_again():
    stored = {"sharpen": 0.1, "mode": "hard", "radius_px": 4, "internal": 3}
    assert options.recorded(_Sharpened, stored) == {"sharpen": 0.1, "sharpen_how": "hard", "radius_px": 4}
    assert options.recorded(_Sharpened, {"sharpen": 0.2}) == {"sharpen": 0.2}  # of a version that had no others


def test_two_meanings_of_one_name_are_refused():
    @base.settings
    class Other:
        sharpen: float = base.option(0.9, "how much", ge=0, le=1)

    with pytest.raises(ValueError, match="sharpen must be one option"):
        options.of_classes(_Sharpened, Other)


def test_an_option_without_a_default_is_refused():
    @base.settings
    class Incomplete:
        sharpen: float = base.option(about="how much")

    with pytest.raises(ValueError, match=r"Incomplete.sharpen is an option, so it needs a default or `derived`"):
        options.of_classes(Incomplete)


@pytest.mark.parametrize("pipeline", options.PIPELINES)
def test_the_defaults_of_a_pipeline_are_accepted_by_its_stages(pipeline):
    options.check(pipeline, {})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"margin": 1.0}, "margin must be in"),
        ({"epochs": -1}, "epochs must be at least 1; got -1"),
        ({"protocol": "paper", "detector": "short_range"}, "detector must be auto or full_range"),
        ({"checkpoint_uri": "s4://x"}, "checkpoint_uri must be empty or gs://"),
    ],
)
def test_what_a_stage_would_refuse_is_refused_at_once(values, message):
    with pytest.raises(ValueError, match=message):
        options.check("train", values)


@pytest.mark.parametrize("pipeline", options.PIPELINES)
def test_every_option_has_a_line_of_help(pipeline):
    for option in options.of_pipeline(pipeline).values():
        assert option.help
        assert not option.help.endswith(".")
        assert "\n" not in option.help


def test_what_a_recipe_sets_is_left_to_it_unless_somebody_says_otherwise():
    own = {name for name, field in base.fields(TrainConfig).items() if base.offer(field)} - {"preset"}
    plain = recipe("tiny")
    for preset, made in RECIPES.items():
        differing = {name for name in own if getattr(made, name) != getattr(plain, name)}
        for name in differing:
            offered = base.offer(base.fields(TrainConfig)[name])
            assert offered.derived is not None, f"{name} of {preset} would be overruled by the option's default"
