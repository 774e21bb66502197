"""A page in a headless Chromium, driven through its own protocol (https://chromedevtools.github.io)."""

import base64
import contextlib
import json
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

import websocket

from tests import tools

_TIMEOUT_S = 30.0


class Page:
    """A blank page; what happens in it from the start is noted.

    Attributes:
        requests: addresses that it asked for, but those within itself (data:, blob:).
        problems: errors and warnings of the console, exceptions, and what the content policy refused.
    """

    def __init__(self, socket):
        self._socket, self._number = socket, 0
        self.requests, self.problems = [], []
        for domain in ("Page", "Runtime", "Network", "Log", "DOM"):
            self.call(f"{domain}.enable")

    def call(self, method, **parameters):
        """Sends a command; returns its result."""
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.recv())
            if message.get("id") == self._number:
                assert "error" not in message, message
                return message["result"]
            self._note(message["method"], message["params"])

    def _note(self, event, about):
        if event == "Network.requestWillBeSent" and not about["request"]["url"].startswith(("data:", "blob:")):
            self.requests.append(about["request"]["url"])
        elif event == "Runtime.exceptionThrown":
            self.problems.append(about["exceptionDetails"]["exception"]["description"])
        elif event == "Runtime.consoleAPICalled" and about["type"] in ("error", "warning"):
            self.problems.append(str(about["args"]))
        elif event == "Log.entryAdded" and about["entry"]["level"] in ("error", "warning"):
            self.problems.append(about["entry"]["text"])

    def evaluate(self, expression):
        """Returns the JSON value of an expression."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def wait_for(self, expression):
        """Waits until an expression is true."""
        until = time.monotonic() + _TIMEOUT_S
        while not self.evaluate(expression):
            assert time.monotonic() < until, f"not true within {_TIMEOUT_S:g} s: {expression}"
            time.sleep(0.05)

    def open(self, url):
        """Loads a page."""
        self.call("Page.navigate", url=url)
        self.wait_for(f"document.readyState === 'complete' && location.href.startsWith({json.dumps(url)})")

    def choose_file(self, selector, path):
        """Does what a person does with a file field."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=node, files=[str(path)])

    def click(self, x, y):
        """Clicks with the left button, CSS pixels from the corner of the window."""
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def resize(self, width, height, *, is_dark=False):
        """Makes the window so large, CSS pixels, and says what the person prefers."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if is_dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def print(self, width_mm, height_mm, *, is_dark=False):
        """Returns the PDF that comes out of a printer with such paper and a centimetre of margin.

        What `evaluate` sees afterwards is laid out for that paper.
        """
        inches, pixels_per_mm, margin_mm = 25.4, 96 / 25.4, 10
        scheme = {"name": "prefers-color-scheme", "value": "dark" if is_dark else "light"}
        self.call("Emulation.setEmulatedMedia", media="print", features=[scheme])
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=int((width_mm - 2 * margin_mm) * pixels_per_mm),
            height=int((height_mm - 2 * margin_mm) * pixels_per_mm),
            deviceScaleFactor=1,
            mobile=False,
        )
        margins = {f"margin{side}": margin_mm / inches for side in ("Top", "Bottom", "Left", "Right")}
        found = self.call("Page.printToPDF", paperWidth=width_mm / inches, paperHeight=height_mm / inches, **margins)
        return base64.b64decode(found["data"])

    def screenshot(self, path):
        """Writes a PNG of the whole page."""
        data = self.call("Page.captureScreenshot", captureBeyondViewport=True)["data"]
        Path(path).write_bytes(base64.b64decode(data))


@contextlib.contextmanager
def page():
    """Yields a Page of a browser of its own, with an empty profile."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [
            tools.path_of("chromium"),
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--remote-debugging-port=0",
            f"--user-data-dir={profile}",
            "about:blank",
        ]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as browser:
            try:
                socket = websocket.create_connection(_address(Path(profile)), _TIMEOUT_S, suppress_origin=True)
                with contextlib.closing(socket):
                    yield Page(socket)
            finally:
                browser.kill()


def _address(profile):
    """Waits for the browser; returns where its first page listens."""
    until = time.monotonic() + _TIMEOUT_S
    while True:
        with contextlib.suppress(OSError, ValueError, StopIteration):
            port = (profile / "DevToolsActivePort").read_text().split()[0]
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/json") as answer:
                return next(one["webSocketDebuggerUrl"] for one in json.load(answer) if one["type"] == "page")
        assert time.monotonic() < until, "the browser did not start"
        time.sleep(0.1)
