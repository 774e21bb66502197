"""What can be said of the images without building them: their recipe, and what it installs."""

import ast
import json
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from components import _images
from expressnet.faces import blazeface
from expressnet.runtime import code_version
from images import build, context, requirements
from images.requirements import IMAGES, ROOT

DOCKERFILE = (ROOT / "images" / "Dockerfile").read_text()
INSTRUCTIONS = [line.split() for line in DOCKERFILE.replace("\\\n", " ").splitlines() if line and line[0].isalpha()]
BY_TAG = {"DATA": "python-data", "TRAIN": "python-train", "REGISTRY": "python-registry"}


@pytest.fixture(scope="module")
def exports():
    """The text of every export, by image and accelerator."""
    wanted = [(image, "cpu") for image in IMAGES] + [(image, "gpu") for image in IMAGES if image.has_tensorflow]
    return {(image.name, accelerator): requirements.export(image, accelerator) for image, accelerator in wanted}


def _packages(export):
    """Returns the names that an export installs on Linux, x86-64."""
    here = {"sys_platform": "linux", "platform_machine": "x86_64"}
    found = [Requirement(line.split("--hash")[0]) for line in export.replace("\\\n", " ").splitlines()]
    return {each.name for each in found if each.marker is None or each.marker.evaluate(here)}


def _stages(instructions):
    """Returns the instructions of each target together with those of the stages below it."""
    stages, current = {}, None
    for instruction in instructions:
        if instruction[0] == "FROM":
            current = instruction[3]
            stages[current] = list(stages.get(instruction[1], []))
        elif current:
            stages[current].append(instruction)
    return stages


def test_the_linter_has_nothing_to_say():
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([hadolint, ROOT / "images" / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_a_target_for_every_image_that_the_components_name():
    assert {image.tag for image in IMAGES} == {_images.DATA, _images.TRAIN, _images.REGISTRY}
    assert {image.name for image in IMAGES} <= set(_stages(INSTRUCTIONS))


def test_the_base_has_one_name():
    assert f"ARG PYTHON_IMAGE={build.PYTHON_IMAGE}\n" in DOCKERFILE


def test_there_is_no_entrypoint():
    assert not [instruction for instruction in INSTRUCTIONS if instruction[0] == "ENTRYPOINT"]


@pytest.mark.parametrize("image", IMAGES, ids=lambda image: image.name)
def test_the_last_user_is_a_number_and_not_root(image):
    users = [instruction[1] for instruction in _stages(INSTRUCTIONS)[image.name] if instruction[0] == "USER"]
    assert users[-1] == "10001:10001"


@pytest.mark.parametrize("image", IMAGES, ids=lambda image: image.name)
def test_code_comes_after_packages_so_that_a_change_of_code_installs_nothing(image):
    lines = [" ".join(instruction) for instruction in _stages(INSTRUCTIONS)[image.name]]
    copying = lines.index("COPY code/ /opt/expressnet/")
    assert any("pip3 --python" in line for line in lines[:copying])
    assert not any("pip3 --python" in line or "apt-get" in line for line in lines[copying:])


def test_every_install_checks_hashes_and_compiles_nothing():
    installs = [" ".join(instruction) for instruction in INSTRUCTIONS if "pip3" in instruction]
    assert len(installs) == len(IMAGES)
    assert all("--require-hashes --no-deps --only-binary :all:" in line for line in installs)


def test_every_requirement_is_one_version_with_hashes(exports):
    for name, export in exports.items():
        for requirement in export.replace("\\\n", " ").splitlines():
            assert "==" in requirement, (name, requirement)
            assert "--hash=sha256:" in requirement, (name, requirement)


def test_the_data_image_has_no_tensorflow(exports):
    installed = _packages(exports["python-data", "cpu"])
    assert "mediapipe" in installed
    assert not {name for name in installed if name.startswith("tensorflow") or name in ("keras", "torch", "mlflow")}


def test_the_training_image_has_one_tensorflow_of_the_wanted_kind(exports):
    cpu, gpu = (_packages(exports["python-train", kind]) for kind in requirements.ACCELERATORS)
    assert {"tensorflow", "tensorflow-cpu"} & cpu == {"tensorflow-cpu"}
    assert {"tensorflow", "tensorflow-cpu"} & gpu == {"tensorflow"}
    assert not [name for name in cpu if name.startswith("nvidia-")]
    assert "nvidia-cudnn-cu12" in gpu


def test_the_registry_can_talk_to_its_database(exports):
    assert {"mlflow", "psycopg2-binary", "google-cloud-storage"} <= _packages(exports["python-registry", "cpu"])


def _imports_of(path):
    """Returns the modules that a file imports, and those of this project that it asks for."""
    third_party, own = set(), set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            third_party |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            third_party.add(node.module)
            if node.module.split(".")[0] == "expressnet":
                inner = node.module.split(".")[1:]
                own |= {".".join([*inner, alias.name]) for alias in node.names}
    return {name.split(".")[0] for name in third_party}, own


def _is_module(name):
    place = ROOT / "expressnet" / name.replace(".", "/")
    return place.with_suffix(".py").is_file() or (place / "__init__.py").is_file()


@pytest.mark.parametrize("component", sorted(path.stem for path in (ROOT / "components").glob("[a-z]*.py")))
def test_an_image_has_what_its_steps_import(exports, component):
    path = ROOT / "components" / f"{component}.py"
    image = BY_TAG[re.search(r"_images\.(\w+)", path.read_text())[1]]
    _, own = _imports_of(path)
    # What is no module is a name in one.
    files = code_version.imported_files(*(name if _is_module(name) else name.rpartition(".")[0] for name in own))
    modules = {"kfp"}.union(*(_imports_of(file)[0] for file in files)) - {"expressnet"} - set(sys.stdlib_module_names)
    providers = metadata.packages_distributions()
    installed = {name.replace("_", "-") for name in _packages(exports[image, "cpu"])}
    missing = {
        module for module in modules if not {name.lower().replace("_", "-") for name in providers[module]} & installed
    }
    assert not missing, f"{image} lacks {missing}"


@pytest.mark.parametrize("image", IMAGES, ids=lambda image: image.name)
def test_the_bill_of_materials_names_what_is_installed(exports, image):
    bill = json.loads(requirements.export(image, file_format="cyclonedx1.5"))
    assert bill["specVersion"] == "1.5"
    listed = {component["name"] for component in bill["components"]}
    assert _packages(exports[image.name, "cpu"]) <= listed


@pytest.fixture(scope="module")
def laid_out(tmp_path_factory):
    """A build context."""
    folder = tmp_path_factory.mktemp("context")
    context.write(folder, "cpu")
    return folder


def _files(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_the_context_has_what_git_knows_and_nothing_else(laid_out):
    known = {name.removeprefix("expressnet/") for name in context.tracked("expressnet")}
    assert _files(laid_out / "code" / "expressnet") == known
    assert {"report/templates/page.html.j2", "report/templates/page.css", "web/page/index.html.j2"} <= known
    assert _files(laid_out / "demo") == {name.removeprefix("data/demo/") for name in context.tracked("data/demo")}
    assert {path.name for path in laid_out.iterdir()} == {"Dockerfile", "requirements", "models", "demo", "code"}


def test_the_code_has_the_version_of_an_installed_package(laid_out):
    (found,) = metadata.distributions(path=[str(laid_out / "code")])
    assert (found.name, found.version) == ("expressnet", metadata.version("expressnet"))


def test_the_models_carry_the_sums_that_the_code_knows(laid_out):
    lines = (laid_out / "models" / "SHA256SUMS").read_text().splitlines()
    assert [tuple(line.split("  /opt/expressnet/models/")) for line in lines] == [
        (sha256, name) for name, sha256 in blazeface.FILES.values()
    ]


def test_a_change_touches_the_images_that_hold_it_and_no_other(laid_out):
    def digests():
        return {image.name: context.digest(laid_out, image, "cpu") for image in IMAGES}

    before = digests()
    assert digests() == before
    for name, touched in {
        "requirements/python-train-cpu.txt": {"python-train"},
        "models/SHA256SUMS": {"python-data", "python-train"},
        "demo/labels.csv": {"python-data"},
        "code/expressnet/stages/crop.py": {"python-data", "python-train", "python-registry"},
    }.items():
        path = laid_out / name
        original = path.read_bytes()
        path.write_bytes(original + b"\n")
        after = digests()
        path.write_bytes(original)
        assert {image for image in before if after[image] != before[image]} == touched


def test_the_pins_name_each_pushed_digest():
    names = [*(image.name for image in IMAGES), *build.MIRRORED]
    pushed = {name: f"localhost:5000/{name}@sha256:{number}" for number, name in enumerate(names)}
    written = {entry["name"]: entry for entry in yaml.safe_load(build.pins(pushed))["images"]}
    assert written["expressnet/python-registry"] == {
        "name": "expressnet/python-registry",
        "newName": "localhost:5000/python-registry",
        "digest": "sha256:1",
    }
    assert written["docker.io/library/postgres"]["newName"] == "localhost:5000/postgres"
    assert len(written) == len(names)


def test_a_push_to_nowhere_is_refused(capsys):
    with pytest.raises(SystemExit, match="2"):
        build.main(["--push", ""])
    assert "PUSH=1 needs a registry" in capsys.readouterr().err


def test_without_docker_the_message_says_so(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert build.main([]) == 1
    assert "there is no command `docker` here" in capsys.readouterr().err


def test_an_engine_that_does_not_answer_is_named(capsys, monkeypatch, tmp_path):
    fake = tmp_path / "docker"
    fake.write_text("#!/bin/sh\necho 'Cannot connect to the Docker daemon' >&2\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert build.main([]) == 1
    assert "Cannot connect to the Docker daemon. Is the engine running" in capsys.readouterr().err
