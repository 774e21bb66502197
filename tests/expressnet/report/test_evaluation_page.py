import re

import numpy as np
import pandas as pd
import pytest

from expressnet.evaluation import occlusion
from expressnet.imaging import codec
from expressnet.report import evaluation_page
from tests.every_page import text
from tests.made import made_answers, made_report


@pytest.fixture(scope="module")
def page():
    return made_report.page()


def test_the_page_asks_the_network_for_nothing_and_is_small(page):
    assert not re.search(r"https?:|src=\"(?!data:image/png;base64,)|@import|<link|<script[^>]|url\(", page)
    assert page.count("<script>") == 1  # for the contents
    assert len(page) < 3_000_000


def test_every_picture_says_what_it_shows(page):
    pictures = re.findall(r"<img[^>]*>", page)
    assert len(pictures) == 4  # ROC, reliability, slices, training
    assert all(re.search(r'alt="[^"]{10,}"', picture) for picture in pictures)


def test_every_entry_of_the_contents_leads_to_its_section(page):
    anchors = re.findall(r'<a href="#([^"]+)"', page)
    assert len(anchors) == 11
    assert all(f'<section id="{anchor}">' in page for anchor in anchors)


def test_the_page_names_protocol_intervals_temperature_and_why_there_is_no_comparison(page):
    said = text(page)
    assert "protocol honest" in said
    assert "optimistic" not in said
    assert re.search(r"accuracy 0\.\d{3} 0\.\d{3} to 0\.\d{3}", said)
    assert "temperature" in said
    assert "No comparison with the paper: the paper has no figures on demo" in said


def test_the_paper_protocol_is_marked_compared_and_has_no_temperature():
    page = made_report.page(dataset_id="fer2013", protocol="paper", num_test=7_100, has_val=False)
    said = text(page)
    assert "Every figure on this page is optimistic: selected on the test split" in said
    assert "No temperature: the protocol paper has no validation split" in said
    assert "0.647" in said  # the paper's accuracy
    assert "No comparison" not in said


def test_what_is_not_defined_is_said_and_does_no_harm():
    # Nobody is sad: no area under its curve; and one answer is no number.
    table = made_answers.table(420)
    table = table[table["label"] != "sad"].reset_index(drop=True)
    table.at[0, "probabilities"] = np.full(7, np.nan, np.float32)
    page = made_report.page(table)
    said = text(page)
    assert "not defined" in said
    assert "no finite answer for 1 images" in said
    assert "metrics.roc_auc_by_class.value[5]" in said
    assert "nan" not in said.split()


def test_no_text_from_data_becomes_html():
    evil = "<script>alert(1)</script>"
    classes = [evil, *made_answers.CLASSES[1:]]
    table = made_answers.table(350, classes=classes)
    table["source_uri"] = [f"{evil}/{place}.jpg" if place % 2 else "b/1.jpg" for place in range(350)]
    page = made_report.page(table, classes=classes, dataset_id=evil)
    assert evil not in page
    assert page.count("&lt;script&gt;") > 5


def test_pictures_are_shown_with_the_hash_by_which_they_can_be_erased():
    shown = occlusion.Map("a" * 64, "label sad, answer happy (0.90)", codec.encode_png(np.zeros((8, 16, 3), np.uint8)))
    page = made_report.page(pictures=[shown])
    assert "a" * 64 in page
    assert page.count('class="photo"') == 1
    assert "No pictures: because" in made_report.page(refusal="No pictures: because")


def test_a_history_of_one_epoch_is_drawn():
    one = pd.DataFrame({"epoch": [1], "train_loss": [1.0], "loss": [1.1], "train_accuracy": [0.5], "accuracy": [0.4]})
    assert "Loss and accuracy by epoch" in evaluation_page.render(made_report.evaluation(), one, made_report.PROVENANCE)
