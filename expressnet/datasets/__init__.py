"""One module per data set: layout, label codes, licence, official split, reader.

A module gives `ABOUT` (expressnet.datasets.base.About) and
`scan(tree: expressnet.sources.base.Tree, config: IngestConfig) -> Source`.
"""
