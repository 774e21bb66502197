import pytest

from expressnet.config.ingest import IngestConfig
from expressnet.datasets import catalog
from expressnet.datasets.base import uri_or_default
from expressnet.sources import places


@pytest.fixture
def scan(tmp_path_factory):
    """`scan("rafdb", path)` reads a copy the way ingest does."""

    def found(name, path="", **settings):
        module, config = catalog.find(name), IngestConfig(dataset=name, **settings)
        place = places.locate(uri_or_default(str(path), module.ABOUT), tmp_path_factory.mktemp("spool"), config)
        return module.scan(place.fetch(), config)

    return found
