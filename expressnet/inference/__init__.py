"""A trained model at work: the bundle, a photograph's answer, the table of predictions."""
