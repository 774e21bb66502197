"""Every kind of page in a real browser, as wide as a frame of Kubeflow's run view and wider; skipped without one."""

import functools
import html as standard_html
import http.server
import re
import threading
import time

import pytest

from tests import browser, every_page
from tests.made import made_report

pytestmark = pytest.mark.needs_tool("chromium")

WIDTHS = (310, 370, 430, 500, 580, 700, 1200, 1920)
# What sticks out of the page, unless it lies in a box that scrolls by itself, or out of what it lies in.
_CUT_OFF = """
[...document.querySelectorAll("body *")].filter(one => {
  const box = one.getBoundingClientRect()
  const sticksOut = box.width > 0 && (box.right > document.documentElement.clientWidth + 1 || box.left < -1)
  const isInBox = one.parentElement.closest(".scroll")
  const isTooFull = one.clientWidth > 1 && one.scrollWidth > one.clientWidth + 1 && !one.matches(".scroll")
  return (sticksOut && !isInBox) || isTooFull
}).map(one => `${one.tagName} ${one.textContent.trim().slice(0, 60)}`)
"""
_SCROLLING = """
[...document.querySelectorAll(".scroll")].filter(one => one.scrollWidth > one.clientWidth)
  .map(one => one.textContent.replace(/\\s+/g, " ").slice(0, 60))
"""
_FITS = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
_OPEN_ALL = "document.querySelectorAll('details').forEach(one => { one.open = true })"
_ANSWER = """
show({
  probabilities: ["surprise", "anger"].map(label => ({label, probability: 0.5})), evenness: 0.5, face_found: false,
  mixtures: [{title: "Over the fused features", gates: [0.25, 0.75], answering: [0, 1]}]
})
"""


@pytest.fixture(scope="module")
def page():
    with browser.page() as opened:
        yield opened


@pytest.fixture(scope="module")
def ordinary(tmp_path_factory):
    return every_page.write(tmp_path_factory.mktemp("ordinary"))


@pytest.fixture(scope="module")
def long_names(tmp_path_factory):
    """The pages with names that are one long word each."""
    return every_page.write(tmp_path_factory.mktemp("long"), lambda name: f"{name}{'_and_so_on' * 9}")


def _look(page, path, width):
    page.resize(width, 900)
    page.open(path.as_uri())
    page.evaluate(_OPEN_ALL)
    if path.stem == "serve":
        page.evaluate(_ANSWER)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("kind", every_page.KINDS)
def test_nothing_is_cut_off_and_nothing_scrolls_sideways(page, ordinary, kind, width):
    _look(page, ordinary[kind], width)
    assert page.evaluate(_CUT_OFF) == []
    assert page.evaluate(_FITS)
    assert page.evaluate(_SCROLLING) == []


@pytest.mark.parametrize("width", [310, 1200])
@pytest.mark.parametrize("kind", every_page.KINDS)
def test_long_names_from_data_are_broken_or_scroll_by_themselves(page, long_names, kind, width):
    _look(page, long_names[kind], width)
    assert page.evaluate(_CUT_OFF) == []
    assert page.evaluate(_FITS)


def test_what_is_cut_off_is_noticed(page, tmp_path):
    """Otherwise the tests above could not fail."""
    path = tmp_path / "page.html"
    full = '<p style="width:60px">averyverylongword</p>'
    inner = f'<p style="width:500px">wide</p>{full}<div class="scroll"><p style="width:500px">scrolls</p></div>'
    path.write_text(f"<style>.scroll {{ overflow-x: auto }}</style>{inner}")
    _look(page, path, 370)
    assert page.evaluate(_CUT_OFF) == ["P wide", "P averyverylongword"]
    assert not page.evaluate(_FITS)
    assert page.evaluate(_SCROLLING) == ["scrolls"]


def test_a_matrix_of_forty_classes_scrolls_by_itself_with_an_arrow_until_its_end(page, tmp_path):
    path = tmp_path / "page.html"
    names = [f"class {number}" for number in range(40)]
    texts = [["1,234"] * 40] * 40
    path.write_text(
        every_page.html.page(
            "matrix.html.j2", models=names, tests=names, shares=[[0.5] * 40] * 40, texts=texts, cells=[], blind=[]
        )
    )
    _look(page, path, 370)
    assert page.evaluate(_CUT_OFF) == []
    assert page.evaluate(_FITS)
    assert len(page.evaluate(_SCROLLING)) == 1
    # The arrow has no element: what lies at its place is asked for without the columns that it lies over.
    arrow = page.evaluate("getComputedStyle(document.querySelector('.scroll'), '::after').content")
    assert arrow == '"→"'
    layers = """
      ["th:nth-child(5)", "th:last-child"].map(one => getComputedStyle(document.querySelector(`.scroll ${one}`)).zIndex)
    """
    assert page.evaluate(layers) == ["auto", "2"]  # above the first, below the last, which hides it at the end
    assert page.evaluate("getComputedStyle(document.querySelector('.scroll'), '::after').zIndex") == "1"


def test_an_entry_of_the_contents_leads_to_its_section_with_and_without_scripts(page, ordinary):
    for is_off in (False, True):
        page.call("Emulation.setScriptExecutionDisabled", value=is_off)
        page.resize(580, 900)
        page.open(ordinary["evaluation"].as_uri())
        place = page.evaluate("document.querySelector('nav a[href=\"#roc\"]').getBoundingClientRect().toJSON()")
        page.click(place["x"] + 5, place["y"] + 5)
        page.wait_for(
            "location.hash === '#roc' && Math.abs(document.getElementById('roc').getBoundingClientRect().y) < 2"
        )
    page.call("Emulation.setScriptExecutionDisabled", value=False)


# Tells the frame's parent where things are.
_TELL = """
const tell = () => parent.postMessage({
  link: document.querySelector("nav a[href='#roc']").getBoundingClientRect().toJSON(),
  top: document.getElementById("roc").getBoundingClientRect().y,
  focused: document.activeElement.id
}, "*")
onload = tell
document.addEventListener("scroll", tell)
"""


@pytest.fixture
def click_in_a_frame(page, tmp_path):
    """`click_in_a_frame(text, until)` shows a page as Kubeflow's run view does, and clicks on an entry of its contents.

    It clicks until an expression is true, for a frame may be drawn before it takes clicks.
    """

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=tmp_path)) as server:
        threading.Thread(target=server.serve_forever).start()

        def click(text, until):
            inner = standard_html.escape(f"{text}<script>{_TELL}</script>")
            (tmp_path / "run.html").write_text(
                "<body style='margin:0'><script>loaded = 0; onmessage = event => { said = event.data }</script>"
                "<iframe sandbox='allow-scripts' onload='loaded++' style='width:580px; height:800px; border:0' "
                f'srcdoc="{inner}"></iframe>'
            )
            page.resize(600, 900)
            page.open(f"http://127.0.0.1:{server.server_port}/run.html")
            page.wait_for("window.said !== undefined && loaded === 1")
            link = page.evaluate("said.link")
            for _ in range(100):
                page.click(link["x"] + 5, link["y"] + 5)
                time.sleep(0.1)
                if page.evaluate(until):
                    return
            raise AssertionError(f"no click made it true: {until}")

        yield click
        page.call("Page.navigate", url="about:blank")
        server.shutdown()


def test_an_entry_of_the_contents_scrolls_in_a_frame_with_the_address_of_its_parent(page, click_in_a_frame):
    click_in_a_frame(made_report.page(), "Math.abs(said.top) < 2")
    assert page.evaluate("said.focused") == "roc"  # the keyboard goes on from there
    assert page.evaluate("loaded") == 1


def test_without_the_script_the_frame_would_load_its_parent(click_in_a_frame):
    """Otherwise the test above could not fail."""
    click_in_a_frame(re.sub(r"<script>.*?</script>", "", made_report.page(), flags=re.DOTALL), "loaded > 1")
