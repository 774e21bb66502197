"""The images that the components run in; a local run uses its own interpreter instead."""

# kfp's local runner warns unless an image's name contains "python".
DATA = "expressnet/python-data:0.1.0"
TRAIN = "expressnet/python-train:0.1.0"
REGISTRY = "expressnet/python-registry:0.1.0"
