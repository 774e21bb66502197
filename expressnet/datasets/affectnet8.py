"""AffectNet with all eight classes."""

from __future__ import annotations

from expressnet.config.ingest import IngestConfig
from expressnet.datasets import affectnet, labels
from expressnet.datasets.base import Source
from expressnet.sources.base import Tree

ABOUT = affectnet.about_of(labels.CLASSES_8)


def scan(tree: Tree, config: IngestConfig) -> Source:
    """Lists the examples; see expressnet.datasets.affectnet."""
    return affectnet.scan(tree, labels.CLASSES_8)
