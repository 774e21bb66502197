import re
from html.parser import HTMLParser

import jinja2
import pytest

from expressnet.registry import model_card
from expressnet.report import html
from expressnet.web import app
from tests import every_page
from tests.payloads import PAYLOADS

EVIL = "".join(PAYLOADS)
ENVIRONMENTS = {"report": html._TEMPLATES, "serve": app._TEMPLATES, "card": model_card._TEMPLATES}


@pytest.fixture(scope="module")
def rendered():
    """The pages with every payload in every name, and with letters in the place of what has a meaning in HTML."""
    with_letters = EVIL.translate(str.maketrans(dict.fromkeys("<>\"'&=", "x")))
    return tuple(every_page.pages(lambda name, text=text: f"{name}{text}") for text in (EVIL, with_letters))


@pytest.fixture(scope="module")
def ordinary():
    """The pages with ordinary names."""
    return every_page.pages()


def _elements(page):
    """Returns the elements of a page with the names of their attributes, as a browser would see them."""
    found = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attributes: found.append((tag, *(name for name, _ in attributes)))
    parser.handle_endtag = lambda tag: found.append(f"/{tag}")
    parser.feed(page)
    return found


@pytest.mark.parametrize("kind", every_page.KINDS)
def test_names_from_data_add_no_element_and_no_attribute_to_a_page(rendered, kind):
    evil, harmless = (pages[kind] for pages in rendered)
    assert "&lt;img src=x onerror=" in evil
    assert _elements(evil) == _elements(harmless)


def test_a_page_that_does_not_escape_a_name_is_noticed():
    """Otherwise the test above could not fail."""
    assert _elements(f"<p>{EVIL}</p>") != _elements("<p>x</p>")
    assert _elements('<p title="x" onclick="x">') != _elements('<p title="x">')


@pytest.mark.parametrize("name", list(ENVIRONMENTS))
def test_every_template_escapes_and_knows_its_values(name):
    environment = ENVIRONMENTS[name]
    assert environment.autoescape is True
    with pytest.raises(jinja2.UndefinedError):
        environment.from_string("{{ nobody_gave_this }}").render()
    for template in environment.list_templates(extensions=["j2"]):
        source = environment.loader.get_source(environment, template)[0]
        assert not re.search(r"\|\s*safe|autoescape|Markup|\bxmlattr|tojson", source), template


def test_the_pages_of_these_tests_use_every_template(monkeypatch):
    used = set()
    for name, environment in (("report", html._TEMPLATES), ("serve", app._TEMPLATES)):
        load = environment.loader.get_source

        def get_source(environment, template, name=name, load=load):
            used.add((name, template))
            return load(environment, template)

        monkeypatch.setattr(environment.loader, "get_source", get_source)
        monkeypatch.setattr(environment, "cache", None)
    every_page.pages()
    known = {(name, one) for name in ("report", "serve") for one in ENVIRONMENTS[name].list_templates(["j2"])}
    assert known - used == set()


def test_a_page_is_the_same_each_time_it_is_made(ordinary):
    assert every_page.pages() == ordinary


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.12345, html.Cell("0.123")),
        (0.00012, html.Cell("1.2e-04")),
        (35887, html.Cell("35,887")),
        ("happy", html.Cell("happy")),
        (True, html.Cell("True")),
        (None, html.Cell("None")),
        ("0.750 (0.650 to 0.850)", html.Cell("0.750", "(0.650 to 0.850)")),
        ("1,234 (too few to judge)", html.Cell("1,234", "(too few to judge)")),
        ("sad (old)", html.Cell("sad (old)")),
        ("c" * 64, html.Cell("cccccccccccc…", whole="c" * 64)),
        ("c" * 63, html.Cell("c" * 63, has_long_word=True)),
    ],
)
def test_a_cell_is_shown_for_people(value, shown):
    assert html.cell(value) == shown


def test_a_short_digest_has_the_whole_one_beside_it(ordinary):
    page = ordinary["crop"]
    assert (
        f'<th scope="row">crops digest</th><td><span class="digest" title="{"c" * 64}">cccccccccccc…</span></td>'
        in page
    )


def test_a_table_has_one_row_for_each_row_and_a_header_cell_for_each_name(ordinary):
    page = ordinary["drift"]
    assert re.findall(r"<th scope=\"col\"><span>(.+?)</span></th>", page) == [
        "figure",
        "images before",
        "new images",
        "PSI",
        "p, corrected",
        "alarm",
    ]
    assert "<tr><td>expression expert</td><td>1,234</td><td>5,678</td><td>0.100</td><td>1.0e-05</td>" in page


def test_a_share_is_a_colour_within_its_bounds():
    page = html.page(
        "matrix.html.j2",
        models=["m"],
        tests=["a", "b", "c"],
        shares=[[0.25, -1.0, 7.0]],
        texts=[["1", "2", "3"]],
        cells=[],
        blind=[],
    )
    assert re.findall(r"--share:([0-9.]+)", page) == ["0.250", "0.000", "1.000"]
    assert page.count('scope="row"') == 1


@pytest.mark.parametrize("kind", every_page.KINDS)
def test_a_page_asks_nobody_for_anything(ordinary, kind):
    page = ordinary[kind]
    assert page.startswith("<!doctype html>")
    outside = re.findall(r'https?:|@import|url\(|(?:src|href)="(?!data:image/(?:png|jpeg);base64,|#)[^"]*', page)
    assert outside == (['href="icon.svg', 'href="page.css', 'src="page.js'] if kind == "serve" else [])
