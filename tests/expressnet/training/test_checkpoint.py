import errno
import shutil
import subprocess
import sys

import keras
import numpy as np
import pytest

from expressnet.runtime import storage
from expressnet.training import checkpoint
from expressnet.training.checkpoint import Checkpoints, State

KEY = "k" * 64


@pytest.fixture
def model():
    """A compiled network of two layers whose optimizer has slots."""
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4), keras.layers.Dropout(0.5, seed=1)])
    model.compile(keras.optimizers.Adam(), "mse")
    model.optimizer.build(model.trainable_variables)
    return model


def _fill(model, value):
    for variable in checkpoint._variables(model):
        variable.assign(np.full(variable.shape, value))


def _state(step):
    return State(
        epoch=1,
        step=step,
        running={"loss": 0.1 + step},
        history=[{"loss": 1 / 3, "epoch": 1}],
        best_epoch=1,
        best_score=0.5,
        best_weights=[np.full(2, step, np.float32)],
        metrics=[np.float32(step)],
    )


@pytest.fixture
def saved(model, tmp_path):
    """Checkpoints of the steps 1 and 2, whose variables all are 1 and 2."""
    checkpoints = Checkpoints(tmp_path, KEY)
    for step in (1, 2):
        _fill(model, step)
        checkpoints.save(model, _state(step))
    return checkpoints


def _files(checkpoints):
    return sorted(path.name[:12] for path in checkpoints.folder.iterdir())


def test_everything_comes_back_bit_by_bit(model, saved):
    _fill(model, 9)
    state = saved.restore(model)
    assert {float(np.unique(value)[0]) for value in checkpoint.values(checkpoint._variables(model))} == {2.0}
    expected = _state(2)
    assert (state.epoch, state.step, state.running, state.history) == (1, 2, expected.running, expected.history)
    assert list(state.history[0]) == ["loss", "epoch"]  # the columns of history.csv
    assert (state.best_epoch, state.best_score) == (1, 0.5)
    np.testing.assert_array_equal(state.best_weights, expected.best_weights)
    np.testing.assert_array_equal(state.metrics, expected.metrics)


_SAVE_ON_A_FULL_DISK = """
import resource, signal, sys
import keras
from expressnet.training.checkpoint import Checkpoints, State

model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4)])
model.compile(keras.optimizers.Adam(), "mse")
model.optimizer.build(model.trainable_variables)
checkpoints = Checkpoints(sys.argv[1], sys.argv[2])
# No file grows beyond 100 bytes: what a write meets then is an OSError, as on a full disk.
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
try:
    checkpoints.save(model, State(epoch=9))
except OSError as error:
    sys.exit(error.errno)
"""


def test_a_state_that_cannot_be_written_leaves_the_ones_before(model, saved):
    before = _files(saved)
    command = [sys.executable, "-c", _SAVE_ON_A_FULL_DISK, str(saved.folder.parent), KEY]
    assert subprocess.run(command, capture_output=True, check=False).returncode == errno.EFBIG
    assert _files(saved) == before
    assert saved.restore(model).step == 2


def test_the_same_state_is_the_same_bytes(model, saved, tmp_path):
    names = {path.name for path in saved.folder.iterdir()}
    for number in range(8):
        again = Checkpoints(tmp_path / str(number), KEY)
        for step in (1, 2):
            _fill(model, step)
            again.save(model, _state(step))
        assert {path.name for path in again.folder.iterdir()} == names


def test_where_nothing_was_saved_there_is_nothing_to_go_on_from(model, tmp_path):
    assert Checkpoints(tmp_path, KEY).restore(model) is None


def test_two_are_kept_and_an_epoch_is_later_than_its_steps(model, saved):
    _fill(model, 3)
    saved.save(model, State(epoch=2))
    assert _files(saved) == ["0001-0000002", "0002-0000000"]


@pytest.mark.parametrize("damage", ["flip", "cut", "empty"])
def test_a_damaged_checkpoint_gives_way_to_the_one_before(model, saved, damage, capsys):
    newest = max(saved.folder.iterdir())
    data = bytearray(newest.read_bytes())
    data[len(data) // 2] ^= 1
    newest.write_bytes({"flip": bytes(data), "cut": bytes(data[:100]), "empty": b""}[damage])
    assert saved.restore(model).step == 1
    assert f"{newest} is damaged" in capsys.readouterr().out


def test_where_all_are_damaged_nothing_is_deleted_and_the_error_says_what_to_do(model, saved):
    for path in saved.folder.iterdir():
        path.write_bytes(b"")
    with pytest.raises(ValueError, match=rf"All 2 checkpoints in {saved.folder} are damaged\. Delete the folder"):
        saved.restore(model)
    assert len(_files(saved)) == 2


def test_a_checkpoint_of_other_data_or_settings_is_refused(model, saved, tmp_path):
    other = Checkpoints(tmp_path, "o" * 64)
    shutil.copytree(saved.folder, other.folder)
    _fill(model, 9)
    with pytest.raises(ValueError, match="belongs to another training .*kkkkkkkk, not oooooooo"):
        other.restore(model)
    assert float(checkpoint.values(model.weights)[0][0][0]) == 9.0
    assert len(_files(other)) == 2


def test_a_file_of_another_program_is_refused(model, saved):
    data = b"no safetensors"
    (saved.folder / f"0009-0000000-{storage.bytes_sha256(data)}.safetensors").write_bytes(data)
    with pytest.raises(ValueError, match="is not a checkpoint of this program"):
        saved.restore(model)


def test_every_prefix_of_a_write_leaves_the_old_or_the_new_state(model, saved, tmp_path):
    """The folder is copied before each change of it, and with the unfinished file cut at several lengths."""
    copies = []

    def copy(event, arguments):
        touches = event in ("open", "os.rename", "os.remove") and str(arguments[0]).startswith(str(saved.folder))
        if touches and not recording["busy"] and recording["on"]:
            recording["busy"] = True
            copies.append(tmp_path / "copies" / str(len(copies)) / KEY)
            shutil.copytree(saved.folder, copies[-1])
            recording["busy"] = False

    recording = {"on": True, "busy": False}
    sys.addaudithook(copy)
    _fill(model, 3)
    saved.save(model, _state(3))
    recording["on"] = False
    for folder in list(copies):
        for partial in folder.glob(f".*{storage.PARTIAL_SUFFIX}"):
            for size in (0, 7, 100, partial.stat().st_size // 2):
                cut = folder.parent.with_name(f"{folder.parent.name}-{size}") / KEY
                shutil.copytree(folder, cut)
                with (cut / partial.name).open("r+b") as file:
                    file.truncate(size)
                copies.append(cut)
    steps = []
    for folder in copies:
        step = Checkpoints(folder.parent, KEY).restore(model).step
        assert {float(np.unique(value)[0]) for value in checkpoint.values(checkpoint._variables(model))} == {step}
        steps.append(step)
    assert len(steps) >= 7
    assert set(steps) == {2, 3}


def test_unfinished_trainings_with_other_settings_are_known(model, saved, tmp_path):
    other = Checkpoints(tmp_path, "o" * 64)
    assert other.unfinished_others() == [saved.folder]
    saved.finish()
    assert other.unfinished_others() == []
    other.save(model, State())
    other.finish()
    assert not saved.folder.exists()
