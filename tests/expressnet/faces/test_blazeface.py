import pytest

from expressnet.faces import blazeface


@pytest.mark.parametrize("detector", blazeface.FILES)
def test_a_missing_model_is_named_with_what_fetches_it(tmp_path, monkeypatch, detector):
    monkeypatch.setenv(blazeface.MODELS_DIR_VARIABLE, str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"BlazeFace model .*\.tflite is missing; `make setup` fetches it"):
        blazeface.model_path(detector)


@pytest.mark.parametrize("detector", blazeface.FILES)
def test_another_file_in_its_place_is_refused(tmp_path, monkeypatch, detector):
    monkeypatch.setenv(blazeface.MODELS_DIR_VARIABLE, str(tmp_path))
    (tmp_path / blazeface.FILES[detector][0]).write_bytes(b"another model")
    with pytest.raises(ValueError, match="has sha256 [0-9a-f]{64}, expected [0-9a-f]{64}; delete it and run"):
        blazeface.model_path(detector)
