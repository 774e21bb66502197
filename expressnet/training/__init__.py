"""Input, loop, checkpoints and optimisers of a training."""
