import http.client
import json
import threading
from pathlib import Path

import pytest

from expressnet.config.predict import ServeConfig
from expressnet.registry import chosen_model
from expressnet.web import app
from tests import browser
from tests.made.watch import Watch

DEMO = Path(__file__).parents[3] / "data" / "demo" / "images"
PHOTO = DEMO / "p001_happy.jpg"
JPEG = {"Content-Type": "image/jpeg"}
MAX_BYTES = 100_000


@pytest.fixture(scope="module")
def site(champion):
    """The port of a running page, and the version that answers."""
    settings = ServeConfig(port=0, max_bytes=MAX_BYTES)
    chosen = chosen_model.load(champion[0], settings)
    oracle = app.Oracle(chosen, settings)
    with app.listen(settings.port) as listening:
        server = app.server(app.app(oracle, chosen, settings))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        yield listening.getsockname()[1], chosen
        server.should_exit = True
        thread.join()
    oracle.stop()


def _ask(port, method="POST", path="/predict", body=None, headers=JPEG):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer, answer.read().decode()
    finally:
        connection.close()


def test_a_photograph_is_answered_with_face_classes_and_experts(site):
    port, chosen = site
    response, text = _ask(port, body=PHOTO.read_bytes())
    answer = json.loads(text)
    assert response.status == 200
    assert (answer["face_found"], answer["num_faces"], answer["width"], answer["height"]) == (True, 1, 160, 160)
    left, top, right, bottom = answer["box_xyxy"]
    assert 0 <= left < right <= 160
    assert 0 <= top < bottom <= 160
    shares = [one["probability"] for one in answer["probabilities"]]
    assert sum(shares) == pytest.approx(1, abs=1e-5)
    assert shares == sorted(shares, reverse=True)
    assert {one["label"] for one in answer["probabilities"]} == set(chosen.model.classes)
    for mixture in answer["mixtures"]:
        gates = mixture["gates"]
        assert sum(gates) == pytest.approx(1, abs=1e-5)
        assert sum(gates[place] for place in mixture["answering"]) == pytest.approx(sum(sorted(gates)[-2:]))
    assert 0 <= answer["evenness"] <= 1


@pytest.mark.parametrize(
    ("body", "headers", "status", "message"),
    [
        (b"x" * (MAX_BYTES + 1), JPEG, 413, "larger than 0.0953674 MiB"),
        (iter([b"x" * 50_000] * 3), JPEG, 413, "larger than"),
        (b"x", {"Content-Type": "text/html"}, 415, "its type is text/html"),
        (b"x", {}, 415, "its type is not given"),
        (b"dear diary", JPEG, 415, "no image of a known format"),
        (b"", JPEG, 422, "the file is empty"),
        (PHOTO.read_bytes()[:900], JPEG, 422, "damaged image"),
        (PHOTO.read_bytes(), {**JPEG, "Origin": "http://evil.example"}, 403, "the request came from http://evil"),
        (PHOTO.read_bytes(), {**JPEG, "Origin": "null"}, 403, "the request came from null"),
    ],
    ids=["large", "large, length unknown", "type", "no type", "text", "empty", "torn", "other site", "no origin"],
)
def test_what_is_not_taken_is_told_with_its_status(site, body, headers, status, message):
    response, text = _ask(site[0], body=body, headers=headers)
    assert (response.status, message in json.loads(text)["error"]) == (status, True)


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", ""])
def test_a_name_that_was_made_to_lead_here_gets_nothing(site, host):
    for method, path in (("GET", "/"), ("POST", "/predict")):
        response, text = _ask(site[0], method, path, PHOTO.read_bytes(), {**JPEG, "Host": host})
        assert response.status == 400
        assert "ExpressNet" not in text
        assert "probabilities" not in text


@pytest.mark.parametrize("path", ["/", "/page.js", "/page.css", "/icon.svg", "/nowhere", "/page/../serve.py"])
def test_every_response_keeps_the_page_to_itself(site, path):
    response, _ = _ask(site[0], "GET", path)
    assert response.status == (200 if path in ("/", "/page.js", "/page.css", "/icon.svg") else 404)
    policy = response.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Access-Control-Allow-Origin"] is None


def test_the_page_says_which_model_answers_and_its_limits(site):
    _, page = _ask(site[0], "GET", "/")
    assert site[1].version in page
    assert site[1].model_digest in page
    assert "rendered faces: it knows no real ones" in page
    assert "Art. 5(1)(f)" in page
    assert "http" not in page


def test_nothing_is_written_and_nobody_is_called(site):
    connection = http.client.HTTPConnection("127.0.0.1", site[0], timeout=60)
    connection.connect()
    with Watch() as watch:
        connection.request("POST", "/predict", PHOTO.read_bytes(), JPEG)
        assert connection.getresponse().status == 200
    connection.close()
    assert watch.written == []
    assert watch.connections == []


def test_a_port_that_is_taken_is_named(site):
    with pytest.raises(OSError, match=f"Port {site[0]} of 127.0.0.1 can't be used .* Set PORT="):
        app.listen(site[0])


@pytest.mark.needs_tool("chromium")
def test_in_a_browser_a_photograph_is_answered_and_a_bad_one_told(site, tmp_path):
    address = f"http://127.0.0.1:{site[0]}/"
    evil = tmp_path / "<img src=x onerror=document.title='evil'>.jpg"
    evil.write_bytes(PHOTO.read_bytes())
    (tmp_path / "torn.jpg").write_bytes(PHOTO.read_bytes()[:900])
    (tmp_path / "large.jpg").write_bytes(b"x" * (MAX_BYTES + 1))
    with browser.page() as page:
        page.resize(390, 800)
        page.open(address)
        page.choose_file("#file", evil)
        page.wait_for("!document.getElementById('answer').hidden && document.getElementById('preview').complete")
        assert page.evaluate("document.getElementById('status').textContent") == f"Answer for {evil.name}"
        assert page.evaluate("document.querySelectorAll('#probabilities tr').length") == len(site[1].model.classes)
        assert page.evaluate("document.querySelectorAll('#overlay rect').length") == 1
        assert page.evaluate("document.querySelectorAll('#mixtures tr.answering').length") == 4
        assert page.evaluate("document.title") == f"ExpressNet {site[1].version}"
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")  # a phone scrolls one way only
        assert page.problems == []
        for name, message in (("torn.jpg", "damaged image"), ("large.jpg", "is larger than")):
            page.choose_file("#file", tmp_path / name)
            page.wait_for(f"document.getElementById('status').textContent.includes({message!r})")
            assert page.evaluate("document.getElementById('answer').hidden")
        assert all(url.startswith(address) for url in page.requests)
        assert [problem for problem in page.problems if "status of 422" not in problem] == []
