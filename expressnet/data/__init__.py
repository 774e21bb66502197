"""A data set at rest: manifest, shards, splits, and the checks of a whole set."""
