import re

import pytest

from expressnet.report import html

EVIL = "<script>alert('a & \"b\"')</script>"


@pytest.mark.parametrize(
    "rendered",
    [
        html.page(EVIL, ""),
        html.section(EVIL),
        html.paragraph(EVIL),
        html.table([EVIL], [[EVIL]]),
        html.png(b"", EVIL),
        html.heat_table(EVIL, [EVIL], [EVIL], [[0.5]], [[EVIL]]),
        html.cards([(EVIL, EVIL, EVIL)]),
        html.contents({EVIL: EVIL}),
        html.notice(EVIL),
        html.subsection(EVIL),
        html.pictures([("", EVIL)]),
    ],
    ids=[
        "page",
        "section",
        "paragraph",
        "table",
        "png",
        "heat table",
        "cards",
        "contents",
        "notice",
        "subsection",
        "pictures",
    ],
)
def test_text_from_data_is_escaped(rendered):
    assert "<script" not in rendered
    assert "&lt;script&gt;alert" in rendered


def test_a_quote_does_not_end_the_description_of_a_picture():
    assert html.png(b"", 'the "best" run') == (
        '<img class="plot" alt="the &quot;best&quot; run" src="data:image/png;base64,">'
    )


@pytest.mark.parametrize(
    ("cell", "shown"), [(0.12345, "0.123"), (35887, "35,887"), ("happy", "happy"), (True, "True"), (None, "None")]
)
def test_a_cell_is_shown_for_people(cell, shown):
    assert f"<td>{shown}</td>" in html.table(["value"], [[cell]])


def test_a_table_has_one_row_for_each_row_and_a_header_cell_for_each_name():
    rendered = html.table(["class", "examples"], [("happy", 2), ("sad", 1)])
    assert re.findall(r"<th[^>]*>(\w+)</th>", rendered) == ["class", "examples"]
    assert re.findall(r"<td>(\w+)</td>", rendered) == ["happy", "2", "sad", "1"]


def test_a_share_is_a_colour_within_its_bounds():
    rendered = html.heat_table("", ["a", "b", "c"], ["r"], [[0.25, -1.0, 7.0]], [["1", "2", "3"]])
    assert re.findall(r"--share:([0-9.]+)", rendered) == ["0.250", "0.000", "1.000"]
    assert rendered.count('scope="col"') == 4
    assert rendered.count('scope="row"') == 1


def test_a_page_asks_nobody_for_anything():
    whole = html.page("Report", html.section("One", html.paragraph("text"), html.png(b"\x89PNG", "a plot")))
    assert whole.startswith("<!doctype html>")
    assert not re.search(r"https?:|//|@import|<link|<script|url\(", whole)
    assert re.findall(r'src="([^"]{0,22})', whole) == ["data:image/png;base64,"]
