"""From a photograph to a crop: detection, alignment, and the shards of crops."""
