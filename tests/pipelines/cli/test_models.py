"""The commands on registered models, on a registry with made models."""

import pytest

from expressnet.config.promote import PromoteConfig
from expressnet.registry import champions, registry
from expressnet.stages import promote, register
from pipelines.__main__ import main
from tests.made import made_models

NAME = "expressnet-made"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """A workspace with a champion and a second version that was not asked for."""
    folder = tmp_path_factory.mktemp("out")
    for seed in range(2):
        made = made_models.write(folder / "made" / str(seed), seed)
        registration = register.run(*map(str, made), str(folder / f"registration{seed}"), str(folder)).plain()
        if not seed:
            settings = PromoteConfig(intended_use="counting smiles")
            promote.run(registration["version"], "", str(folder / "promotion"), str(folder), settings)
    return folder


@pytest.fixture(scope="module")
def champion(workspace):
    return registry.Registry(workspace).champion(NAME)


def test_champion_says_who_for_what_and_why(workspace, champion, capsys):
    assert main(["champion", "--out", str(workspace)]) == 0
    said = capsys.readouterr().out
    for text in (
        f"{NAME} {champion['version']}",
        champion["promoted_at"],
        "the first model of its name becomes",
        "counting smiles",
        "nobody",
    ):
        assert text in said


def test_history_lists_and_exits_with_1_once_somebody_changed_it(workspace, champion, capsys):
    assert main(["history", "--out", str(workspace)]) == 0
    said = capsys.readouterr().out
    assert f"promoted {champion['version']} by " in said
    assert said.endswith("the history is whole\n")
    path = workspace / "registry" / NAME / champions.HISTORY_FOLDER / "000001.json"
    whole = path.read_text()
    path.write_text(whole.replace("counting smiles", "counting tears"))
    assert main(["history", "--out", str(workspace)]) == 1
    assert "error: entry 1 and champion.json say different things" in capsys.readouterr().err
    path.write_text("nothing")
    assert main(["history", "--out", str(workspace)]) == 1
    assert "can't be read" in capsys.readouterr().out
    path.write_text(whole)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["champion", "--name", "other"], f"has the champions {NAME}; asked for was other"),
        (["rollback", "--reason", ""], 'A rollback needs a reason, which is recorded: REASON="..."'),
        (["rollback", "--reason", "blinks"], "TO=(none) must name another version that was champion; there are (none)"),
        (["rollback", "--reason", "blinks", "--to", "20200101-00000000"], "TO=20200101-00000000 must name another"),
        (["reproduce", "--version", "20200101-00000000"], "VERSION=20200101-00000000 must name one version of"),
        (["history", "--out", "nowhere"], "There is no workspace at"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_people_got_wrong_is_said_in_one_message(workspace, arguments, message, capsys):
    assert main([arguments[0], "--out", str(workspace), *arguments[1:]]) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert message in said
    assert said.count("\n") == 1
