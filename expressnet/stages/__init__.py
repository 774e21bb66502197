"""The steps of the pipelines, one module each."""
