import pytest

from expressnet import config
from expressnet.runtime import code_version


def test_a_stage_depends_on_what_it_imports_and_on_nothing_else():
    names = {path.stem for path in code_version.imported_files("crop")}
    assert {"crop", "faces", "blazeface", "images", "storage"} <= names
    assert not {"train", "training", "evaluate", "registry", "report", "ingest", "split"} & names


@pytest.mark.parametrize("stage", ["ingest", "validate", "crop", "split", "train", "evaluate"])
def test_a_digest_is_stable_and_of_one_stage(stage):
    assert code_version.digest(stage) == code_version.digest(stage)
    assert len(code_version.digest(stage)) == 64
    assert code_version.digest(stage) != code_version.digest("labels")


def test_the_number_of_processes_is_no_part_of_what_comes_out():
    assert config.digest_fields(config.CropConfig(num_workers=1)) == config.digest_fields(config.CropConfig())
