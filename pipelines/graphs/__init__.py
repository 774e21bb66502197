"""The pipelines as graphs of components, one module each."""
