"""What a photograph carries beside its pixels, and how it is called, in every page that shows anything of it."""

import base64
import re
import shutil
from pathlib import Path

import pytest
from PIL import Image

from expressnet.config.crop import CropConfig
from expressnet.config.evaluate import EvaluateConfig
from expressnet.config.ingest import IngestConfig
from expressnet.config.predict import PredictConfig
from expressnet.config.split import SplitConfig
from expressnet.config.validate import ValidateConfig
from expressnet.stages import crop, evaluate, ingest, predict, split, validate
from tests import browser
from tests.payloads import PAYLOADS

pytestmark = [
    pytest.mark.slow,
    pytest.mark.needs_tool("chromium"),
]
DEMO = Path(__file__).parents[3] / "data" / "demo" / "images"
CLASSES = ("anger", "happy", "sad")  # of the model
# ImageDescription, Make, Model, Software, Artist, Copyright.
_TEXT_TAGS = (0x010E, 0x010F, 0x0110, 0x0131, 0x013B, 0x8298)
_XP_TITLE, _EXIF_IFD, _USER_COMMENT = 0x9C9B, 0x8769, 0x9286


def _save_with(payload, source, path):
    """Writes a JPEG that says the payload wherever one can say something."""
    exif = Image.Exif()
    for tag in _TEXT_TAGS:
        exif[tag] = payload
    exif[_XP_TITLE] = payload.encode("utf-16-le")
    exif.get_ifd(_EXIF_IFD)[_USER_COMMENT] = b"ASCII\0\0\0" + payload.encode()
    with Image.open(source) as image:
        image.save(path, exif=exif, comment=payload.encode(), xmp=f"<x:xmpmeta>{payload}</x:xmpmeta>".encode())


@pytest.fixture(scope="module")
def album(tmp_path_factory):
    """A data set of fifty photographs of three classes, each with a payload in EXIF, XMP, comment and name."""
    folder = tmp_path_factory.mktemp("album")
    for place, payload in enumerate(PAYLOADS):
        label = CLASSES[place % 3]
        (folder / label).mkdir(exist_ok=True)
        name = f"{place:02d}{payload}.jpg".replace("/", "\N{FRACTION SLASH}")  # no file's name can hold a slash
        _save_with(payload, DEMO / f"p{place:03d}_{label}.jpg", folder / label / name)
    return folder


@pytest.fixture(scope="module")
def pages(album, trained, champion, tmp_path_factory):
    """The pages of the stages, with all pictures: by stage."""
    out = tmp_path_factory.mktemp("pages")
    photos = ingest.run(str(album), out / "datasets", IngestConfig(dataset="folder")).plain()["path"]
    validate.run(photos, str(out / "validation"), ValidateConfig())
    faces = crop.run(photos, out, CropConfig(size_px=32, pictures=True)).plain()["path"]
    split.run(faces, str(out / "split"), SplitConfig())
    settings = EvaluateConfig(pictures=True, num_resamples=100)
    evaluate.run(str(trained[0]), faces, str(out / "split"), str(out / "evaluation"), str(out / "work"), settings)
    workspace = shutil.copytree(champion[0], out / "out", ignore=shutil.ignore_patterns("mlartifacts", "predictions"))
    predicted = predict.run(str(album), str(workspace), PredictConfig(num_workers=1, gallery=True)).plain()
    return {
        "validate": out / "validation" / "report.html",
        "crop": Path(faces) / "report.html",
        "evaluate": out / "evaluation" / "report.html",
        "predict": Path(predicted["gallery_path"]),
    }


def test_the_photographs_do_carry_the_payloads(album):
    files = sorted(album.glob("*/*.jpg"), key=lambda path: path.name)
    assert len(files) == len(PAYLOADS) == 50
    for path, payload in zip(files, PAYLOADS, strict=True):
        with Image.open(path) as image:
            exif = image.getexif()
            assert [exif[tag] for tag in _TEXT_TAGS] == [payload] * 6
            assert exif.get_ifd(_EXIF_IFD)[_USER_COMMENT].endswith(payload.encode())
            assert image.info["comment"] == payload.encode()


@pytest.mark.parametrize(("stage", "num_pictures"), [("validate", 4), ("crop", 2), ("evaluate", 5), ("predict", 50)])
def test_fifty_payloads_beside_the_pixels_run_never(pages, stage, num_pictures):
    with browser.page() as page:
        page.open(pages[stage].as_uri())
        assert page.evaluate("window.xss || 0") == 0
        assert page.problems == []
        assert page.requests == [pages[stage].as_uri()]
        assert page.evaluate("document.querySelectorAll('iframe, object, video, math, svg').length") == 0
        assert page.evaluate("document.scripts.length") == (stage == "evaluate")  # its contents scroll by script
        assert page.evaluate("document.images.length") >= num_pictures
        assert page.evaluate("[...document.images].every(image => image.naturalWidth > 0)")


@pytest.mark.parametrize("stage", ["crop", "evaluate", "predict"])
def test_pictures_in_pages_carry_nothing_beside_their_pixels(pages, stage):
    encoded = re.findall(r'src="data:image/[a-z]+;base64,([^"]+)"', pages[stage].read_text())
    for data in map(base64.b64decode, encoded):
        assert b"window.xss" not in data
        assert b"Exif" not in data
