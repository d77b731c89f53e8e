"""A real browser without a window, asked over the pipe of its debugging protocol."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

PROGRAM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@dataclass
class Browser:
    """A running browser.

    Args:
        process: Its process.
        commands: Where it reads, a file descriptor.
        answers: Where it writes, a file descriptor.
    """

    process: subprocess.Popen[bytes]
    commands: int
    answers: int
    events: list[dict[str, Any]] = field(default_factory=list)
    _rest: bytes = b""
    _number: int = 0

    def call(self, method: str, session: str | None = None, **params: object) -> dict[str, Any]:
        """Send a command and return its result; what happens meanwhile is kept in ``events``."""
        self._number += 1
        command = {"id": self._number, "method": method, "params": params}
        message = json.dumps(command | ({"sessionId": session} if session else {})).encode() + b"\0"
        while message:
            message = message[os.write(self.commands, message) :]
        while (answer := self._next()).get("id") != self._number:
            self.events.append(answer)
        assert "error" not in answer, answer
        return dict(answer["result"])

    def wait_for(self, method: str, session: str) -> None:
        """Return once such an event of that page has come."""
        while not any(event.get("method") == method and event.get("sessionId") == session for event in self.events):
            self.events.append(self._next())

    def _next(self) -> dict[str, Any]:
        until = time.monotonic() + 30
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self.answers], [], [], max(0.0, until - time.monotonic()))
            assert ready, "the browser does not answer"
            read = os.read(self.answers, 1 << 20)
            assert read, "the browser has ended"
            self._rest += read
        message, _, self._rest = self._rest.partition(b"\0")
        return dict(json.loads(message))

    def open(self, path: Path, width: int = 1280, *, dark: bool = False, paper: bool = False) -> Page:
        """Open a file in a new page, as wide as a screen of that many CSS pixels."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Log", "Runtime", "Audits"):
            self.call(f"{domain}.enable", session)
        phone = width < 600
        self.call("Emulation.setDeviceMetricsOverride", session, width=width, height=844 if phone else 800,
                  deviceScaleFactor=2 if phone else 1, mobile=phone)  # fmt: skip
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", session, media="print" if paper else "", features=[scheme])
        before = len(self.events)
        self.call("Page.navigate", session, url=path.resolve().as_uri())
        self.wait_for("Page.loadEventFired", session)
        return Page(self, session, before)


@dataclass
class Page:
    """A page that has been loaded."""

    browser: Browser
    session: str
    first_event: int

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression; the page's own policy does not bind the debugger."""
        asked = {"expression": expression, "returnByValue": True, "awaitPromise": True}
        return self.browser.call("Runtime.evaluate", self.session, **asked)["result"].get("value")

    def events(self, method: str) -> list[dict[str, Any]]:
        """What was reported of this page."""
        return [
            event["params"]
            for event in self.browser.events[self.first_event :]
            if event.get("method") == method and event.get("sessionId") == self.session
        ]

    def screenshot(self) -> bytes:
        """The whole page as PNG."""
        asked = {"format": "png", "captureBeyondViewport": True}
        return base64.b64decode(self.browser.call("Page.captureScreenshot", self.session, **asked)["data"])

    def pdf(self) -> bytes:
        """The page on A4."""
        asked = {"paperWidth": 8.27, "paperHeight": 11.69, "preferCSSPageSize": True}
        return base64.b64decode(self.browser.call("Page.printToPDF", self.session, **asked)["data"])


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser, if the machine has one."""
    if PROGRAM is None:
        pytest.skip("no chromium in PATH")
    yield from _running(PROGRAM, tmp_path_factory.mktemp("profile"))


def _running(program: str, profile: Path) -> Iterator[Browser]:
    commands_in, commands_out = os.pipe()
    answers_in, answers_out = os.pipe()
    flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", "--remote-debugging-pipe",
             f"--user-data-dir={profile}"]  # fmt: skip
    # The browser reads from descriptor 3 and writes to descriptor 4.
    shell = f'exec "$@" 3<&{commands_in} 4>&{answers_out}'
    process = subprocess.Popen(
        ["bash", "-c", shell, "browser", program, *flags],
        pass_fds=(commands_in, answers_out),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(commands_in)
    os.close(answers_out)
    browser = Browser(process, commands_out, answers_in)
    try:
        yield browser
        browser.call("Browser.close")
        process.wait(10)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        os.close(commands_out)
        os.close(answers_in)
