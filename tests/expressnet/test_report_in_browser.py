"""The evaluation's page in a real browser; skipped where there is none."""

import html as standard_html
import json

import pytest

from benchmarks import made_answers, made_report
from expressnet import html
from tests import browser
from tests.payloads import PAYLOADS, RUN

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(browser.CHROMIUM is None, reason="no Chromium on this machine (apt-get install chromium)"),
]


@pytest.fixture(scope="module")
def page():
    with browser.page() as opened:
        yield opened


def _open(page, tmp_path, text):
    path = tmp_path / "report.html"
    path.write_text(text)
    page.requests.clear()
    page.problems.clear()
    page.open(path.as_uri())
    return path.as_uri()


@pytest.mark.parametrize(("width", "is_dark"), [(1280, False), (390, False), (390, True)])
def test_the_page_asks_for_nothing_complains_of_nothing_and_fits(page, tmp_path, width, is_dark):
    page.resize(width, 900, is_dark=is_dark)
    uri = _open(page, tmp_path, made_report.page())
    assert page.requests == [uri]
    assert page.problems == []
    assert page.evaluate("[...document.images].every(image => image.naturalWidth > 0)")
    # Wide tables scroll by themselves; the page does not.
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert colour == ("rgb(20, 24, 31)" if is_dark else "rgb(255, 255, 255)")


def test_a_picture_is_not_turned_dark_and_a_chart_is(page, tmp_path):
    page.resize(900, 900, is_dark=True)
    _open(page, tmp_path, html.page("t", html.png(b"", "photo", "photo") + html.png(b"", "chart", "chart")))
    filters = page.evaluate("[...document.images].map(image => getComputedStyle(image).filter)")
    assert filters[0] == "none"
    assert "invert" in filters[1]


def test_fifty_payloads_in_names_paths_and_notes_run_never(page, tmp_path):
    assert len(PAYLOADS) == len(set(PAYLOADS)) == 50
    ran = 0
    for start in range(0, 50, 7):
        group = (PAYLOADS * 2)[start : start + 7]
        table = made_answers.table(210, classes=group)
        table["source_uri"] = [f"{group[place % 7]}/x.jpg" for place in range(len(table))]
        table["attributes"] = [json.dumps({"camera": group[place % 7]}) for place in range(len(table))]
        text = made_report.page(table, classes=group, dataset_id=group[0], refusal=group[1])
        assert all(standard_html.escape(one) in text for one in group)
        _open(page, tmp_path, text)
        ran += page.evaluate("window.xss || 0")
        assert page.evaluate("document.querySelectorAll('script, iframe, object, video, math, svg').length") == 0
    assert ran == 0
    assert page.problems == []


def test_a_payload_that_is_not_escaped_would_run(page, tmp_path):
    """Otherwise the test above could not fail."""
    _open(page, tmp_path, f"<img src=x onerror={RUN}>")
    page.wait_for("window.xss === 1")


def test_the_page_renders_inside_the_sandbox_of_the_run_view(page, tmp_path):
    # The page itself holds no script; this one tells the frame's parent what was rendered.
    said = "parent.postMessage([document.images.length, document.body.scrollHeight], '*')"
    inner = standard_html.escape(made_report.page() + f"<script>onload = () => {said}</script>")
    outer = "<script>onmessage = event => { window.said = event.data }</script>"
    _open(page, tmp_path, f'{outer}<iframe sandbox="allow-scripts" style="width:900px" srcdoc="{inner}"></iframe>')
    page.wait_for("window.said !== undefined")
    num_images, height = page.evaluate("window.said")
    assert num_images == 4
    assert height > 2000
