"""Image bytes to pixels and back, orientation, fingerprints, near-duplicates."""
