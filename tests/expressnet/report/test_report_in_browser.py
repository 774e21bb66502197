"""The evaluation's page in a real browser; skipped where there is none."""

import html as standard_html
import json
import re

import pytest
from markupsafe import Markup, escape

from expressnet.report import html
from tests import browser
from tests.made import made_answers, made_report
from tests.payloads import PAYLOADS, RUN

pytestmark = [
    pytest.mark.slow,
    pytest.mark.needs_tool("chromium"),
]

PAPERS_MM = {"A4": (210, 297), "letter": (216, 279)}
# What of the page lies beside the paper, is cut off by what it lies in, or is taller than a sheet.
_CUT_OFF = """
[...document.querySelectorAll("main *")].filter(one => {
  const box = one.getBoundingClientRect()
  return box.right > innerWidth + 1 || box.left < -1 || (one.tagName === "IMG" && box.height > innerHeight)
    || (getComputedStyle(one).overflowX !== "visible" && one.scrollWidth > one.clientWidth + 1)
}).map(one => `${one.tagName} ${one.textContent.slice(0, 60)}`)
"""
_HIDDEN = """
[...document.querySelectorAll("td, th, img, p, figcaption")]
  .filter(one => !one.checkVisibility({contentVisibilityAuto: true}) || !one.getBoundingClientRect().height)
  .filter(one => one.textContent || one.tagName === "IMG").map(one => one.outerHTML.slice(0, 60))
"""
# The lowest contrast of text (WCAG 2) on white paper, on which browsers print no background unless it is asked for.
_CONTRAST = """
(() => {
  const light = rgb => rgb.map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, place) => sum + v * [0.2126, 0.7152, 0.0722][place], 0)
  const parts = text => { const [r, g, b, a = 1] = text.match(/[0-9.]+/g).map(Number); return [[r, g, b], a] }
  const contrasts = [...document.querySelectorAll("main, main *")]
    .filter(one => [...one.childNodes].some(node => node.nodeType === 3 && node.data.trim()))
    .map(one => {
      const style = getComputedStyle(one), [ink] = parts(style.color), [paint, alpha] = parts(style.backgroundColor)
      const printed = style.printColorAdjust === "exact" ? alpha : 0
      const levels = [light(ink), light(paint.map(v => v * printed + 255 * (1 - printed)))].sort((a, b) => a - b)
      return (levels[1] + 0.05) / (levels[0] + 0.05)
    })
  return Math.min(...contrasts)
})()
"""


@pytest.fixture(scope="module")
def page():
    with browser.page() as opened:
        yield opened


def _with_body(body):
    return html.page("plain.html.j2", title="t", body=Markup(body))


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
    _open(page, tmp_path, _with_body('<img class="photo"><img class="chart">'))
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
        assert all(escape(one) in text for one in group)
        _open(page, tmp_path, text)
        ran += page.evaluate("window.xss || 0")
        assert page.evaluate("document.querySelectorAll('iframe, object, video, math, svg').length") == 0
        assert page.evaluate("document.scripts.length") == 1  # that of the contents
    assert ran == 0
    assert page.problems == []


def test_a_payload_that_is_not_escaped_would_run(page, tmp_path):
    """Otherwise the test above could not fail."""
    _open(page, tmp_path, f"<img src=x onerror={RUN}>")
    page.wait_for("window.xss === 1")


def test_the_page_renders_inside_the_sandbox_of_the_run_view(page, tmp_path):
    # This script tells the frame's parent what was rendered.
    said = "parent.postMessage([document.images.length, document.body.scrollHeight], '*')"
    inner = standard_html.escape(made_report.page() + f"<script>onload = () => {said}</script>")
    outer = "<script>onmessage = event => { window.said = event.data }</script>"
    _open(page, tmp_path, f'{outer}<iframe sandbox="allow-scripts" style="width:900px" srcdoc="{inner}"></iframe>')
    page.wait_for("window.said !== undefined")
    num_images, height = page.evaluate("window.said")
    assert num_images == 4
    assert height > 2000


@pytest.mark.parametrize("is_dark", [False, True])
@pytest.mark.parametrize("paper", list(PAPERS_MM))
def test_a_printed_page_is_whole_and_readable(page, tmp_path, paper, is_dark):
    page.resize(1280, 900, is_dark=is_dark)
    _open(page, tmp_path, made_report.page())
    pdf = page.print(*PAPERS_MM[paper], is_dark=is_dark)
    assert page.evaluate(_CUT_OFF) == []
    assert page.evaluate(_HIDDEN) == []
    assert page.evaluate("[...document.images].map(image => getComputedStyle(image).filter)") == ["none"] * 4
    assert page.evaluate(_CONTRAST) > 4.5
    num_pages = len(re.findall(rb"/Type\s*/Page\b", pdf))
    needed = page.evaluate("document.documentElement.scrollHeight / innerHeight")
    assert 3 < needed < 12
    # Pictures and rows are not cut, so that sheets have gaps; a sheet that is mostly one would be too many.
    assert needed <= num_pages <= 1.4 * needed + 1


def test_what_is_cut_off_hidden_or_pale_in_print_is_noticed(page, tmp_path):
    """Otherwise the test above could not fail."""
    wide, pale = '<div style="width:90cm">wide</div>', '<p style="color:#999">pale</p>'
    clipped = '<div style="width:5cm;overflow-x:auto"><div style="width:9cm">clipped</div></div>'
    closed = '<details style="content-visibility:hidden"><summary>s</summary><p>closed</p></details>'
    _open(page, tmp_path, _with_body(wide + clipped + pale + closed))
    page.print(*PAPERS_MM["A4"])
    assert page.evaluate(_CUT_OFF) == ["DIV wide", "DIV clipped"]
    assert page.evaluate(_HIDDEN) == ["<p>closed</p>"]
    assert 2 < page.evaluate(_CONTRAST) < 3
