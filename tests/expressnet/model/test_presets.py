import dataclasses

import pytest

from expressnet.model import presets


def test_presets_are_found_by_their_own_names():
    assert sorted(presets.PRESETS) == ["paper", "small", "tiny"]
    assert all(preset.name == name for name, preset in presets.PRESETS.items())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"removed": ("moe",)}, r"removed must name some of .*; got \['moe'\]"),
        ({"channel_order": "gray"}, "channel_order must be one of"),
        ({"conv_backend": "cudnn"}, "conv_backend must be one of"),
        ({"size_px": 0}, "size_px must be positive; got 0"),
        ({"cnnfe1_filters": (), "cnnfe1_kernels": ()}, "cnnfe1_filters must be positive"),
        ({"stage_blocks": (2, 0)}, "stage_blocks must be positive"),
        ({"cnnfe2_kernels": (3,)}, "cnnfe2_filters and cnnfe2_kernels must be equally long"),
        ({"stage_filters": (8, 8, 8)}, "stage_filters and stage_blocks must be equally long"),
        ({"feature_dropout": 1.0}, r"feature_dropout must be in \[0, 1\); got 1.0"),
        ({"batchnorm_momentum": -0.1}, "batchnorm_momentum"),
        ({"top_k": 5}, "top_k must be at most num_experts=4; got 5"),
        ({"size_px": 1}, "size_px must be at least 2"),
    ],
)
def test_nonsense_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(presets.TINY, **change)
