import pytest

from tests import tools


def test_a_missing_tool_skips_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv(tools.REQUIRED, raising=False)
    with pytest.raises(pytest.skip.Exception, match="strace is missing: apt-get install strace"):
        tools.require("strace")


def test_a_missing_tool_fails_where_tools_are_required(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setenv(tools.REQUIRED, "1")
    with pytest.raises(pytest.fail.Exception, match="strace is missing"):
        tools.require("strace")


def test_a_tool_that_is_there_is_found(tmp_path, monkeypatch):
    program = tmp_path / "strace"
    program.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert tools.require("strace") == str(program)
