import pytest

from expressnet.registry import sealed_files
from expressnet.runtime import storage


@pytest.fixture
def folder(tmp_path):
    """A sealed folder of three files, and its list."""
    folder = tmp_path / "model"
    for name in ("a.bin", "sub/b.bin", "sub/c.bin"):
        storage.write_bytes(folder / name, name.encode())
    return folder, sealed_files.seal({"model": folder})


def test_every_file_is_listed_with_its_hash(folder):
    assert folder[1] == {
        f"model/{name}": storage.bytes_sha256(name.encode()) for name in ("a.bin", "sub/b.bin", "sub/c.bin")
    }


def test_what_nobody_touched_is_whole(folder):
    sealed_files.require_unchanged(folder[0], "model", {**folder[1], "evaluation/other.json": "0" * 64})


def test_a_flipped_bit_anywhere_is_refused_with_the_name_of_the_file(folder):
    for path in sorted(folder[0].rglob("*.bin")):
        whole = path.read_bytes()
        for place in range(len(whole)):
            path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
            with pytest.raises(
                sealed_files.DamagedError, match=rf"{path} is not what was registered: expected the SHA-256"
            ):
                sealed_files.require_unchanged(folder[0], "model", folder[1])
        path.write_bytes(whole)


def test_a_missing_and_an_added_file_are_refused(folder):
    (folder[0] / "sub/new.bin").write_bytes(b"")
    with pytest.raises(sealed_files.DamagedError, match=r"sub/new\.bin .*expected no such file, found one"):
        sealed_files.require_unchanged(folder[0], "model", folder[1])
    (folder[0] / "a.bin").unlink()
    with pytest.raises(sealed_files.DamagedError, match=r"a\.bin .*found no file"):
        sealed_files.require_unchanged(folder[0], "model", folder[1])


def test_a_folder_that_is_not_there_is_not_sealed(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere must be a folder of files to store"):
        sealed_files.seal({"model": tmp_path / "nowhere"})


def test_a_changed_list_is_refused(tmp_path):
    path = tmp_path / sealed_files.FILE_NAME
    storage.write_json(path, {"model/a.bin": "0" * 64})
    digest = storage.file_sha256(path)
    assert sealed_files.read(path, digest) == {"model/a.bin": "0" * 64}
    storage.write_json(path, {})
    with pytest.raises(sealed_files.DamagedError, match=r"files\.json is not what was registered"):
        sealed_files.read(path, digest)
