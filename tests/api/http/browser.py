"""A real browser: Chromium, headless, spoken to over its debugging pipe."""

import fcntl
import itertools
import json
import os
import select
import shutil
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.waiting import HANG, wait_until

KEYS = {"Tab": (9, ""), "Enter": (13, "\r"), "Escape": (27, ""), "ArrowDown": (40, "")}
"""By name, what the system knows a key by and what it writes."""
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


class NoBrowser(Exception):
    """There is no Chromium here."""


def chromium() -> str:
    """Its path: CHROMIUM, or the first of the usual names. Raises NoBrowser."""
    found = next(filter(None, map(shutil.which, [os.environ.get("CHROMIUM") or "chromium", *NAMES])), None)
    if found is None:
        raise NoBrowser(
            "no Chromium was found. Install it (Debian: apt-get install chromium), name it in CHROMIUM,"
            " or leave these tests out: ./dev test -m 'not browser'"
        )
    return found


class Browser:
    """One page of one browser; `heard` are the events it told of (requests, console messages)."""

    def __init__(self, profile: Path) -> None:
        to_browser, self._out = os.pipe()
        self._in, from_browser = os.pipe()
        log = os.open(profile / "browser.log", os.O_WRONLY | os.O_CREAT, 0o600)
        ours = [
            fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 20) for descriptor in (log, log, to_browser, from_browser)
        ]
        command = [
            chromium(),
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--hide-scrollbars",
            "--remote-debugging-pipe",
            f"--user-data-dir={profile}",
            "about:blank",
        ]
        # The browser reads descriptor 3 and writes descriptor 4.
        actions = [(os.POSIX_SPAWN_DUP2, descriptor, number) for number, descriptor in enumerate(ours, 1)]
        self._pid = os.posix_spawn(command[0], command, os.environ, file_actions=actions)
        for descriptor in (to_browser, from_browser, log, *ours):
            os.close(descriptor)
        self._numbers = itertools.count(1)
        self._read = b""
        self._session: str | None = None
        self.heard: list[dict[str, Any]] = []
        target = self.command("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.command("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Log", "Runtime"):
            self.command(f"{domain}.enable")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.command("Browser.close")
        os.waitpid(self._pid, 0)
        os.close(self._out)
        os.close(self._in)

    def command(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Sends a command of the DevTools protocol and waits for its answer."""
        number = next(self._numbers)
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + HANG
        while True:
            heard = self._next(deadline)
            if heard.get("id") == number:
                assert "error" not in heard, heard
                result: dict[str, Any] = heard["result"]
                return result
            self.heard.append(heard)

    def _next(self, deadline: float) -> dict[str, Any]:
        while b"\0" not in self._read:
            ready, _, _ = select.select([self._in], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, "the browser does not answer"
            self._read += os.read(self._in, 1 << 20)
        line, _, self._read = self._read.partition(b"\0")
        heard: dict[str, Any] = json.loads(line)
        return heard

    # --- what tests do ---

    def look(self, *, width: int, height: int = 900, scheme: str = "light") -> None:
        """A window of this size, for somebody who likes light or dark."""
        self.command(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        self.command("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def open(self, url: str) -> None:
        self.command("Page.navigate", url=url)
        self.wait_for("document.readyState === 'complete' && location.href !== 'about:blank'")

    def evaluate(self, expression: str) -> Any:
        answer = self.command("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def wait_for(self, expression: str) -> None:
        wait_until(lambda: self.evaluate(expression), expression)

    def press(self, key: str) -> None:
        """A key that is named, or a digit."""
        code, text = KEYS[key] if key in KEYS else (ord(key), key)
        pressed = {"key": key, "code": key, "windowsVirtualKeyCode": code}
        self.command("Input.dispatchKeyEvent", type="keyDown", text=text, **pressed)
        self.command("Input.dispatchKeyEvent", type="keyUp", **pressed)

    def type(self, text: str) -> None:
        """In place of what stands in the field that has the focus."""
        kind = self.evaluate("document.activeElement.type")
        if kind == "date":  # part by part, as its fields take them: month, day, year
            year, month, day = text.split("-")
            for digit in f"{month}{day}{year}":
                self.press(digit)
            return
        selects = {"key": "a", "code": "KeyA", "windowsVirtualKeyCode": 65, "modifiers": 2, "commands": ["selectAll"]}
        self.command("Input.dispatchKeyEvent", type="keyDown", **selects)
        self.command("Input.dispatchKeyEvent", type="keyUp", **selects)
        self.command("Input.insertText", text=text)

    def tab_to(self, at: str) -> None:
        """Tab is pressed until the focus is on what the condition holds for, of `at`; Tab alone gets there."""
        for _ in range(200):
            self.press("Tab")
            if self.evaluate(f"(at => Boolean({at}))(document.activeElement)"):
                return
        raise AssertionError(f"Tab does not get to {at}")

    def choose(self, value: str) -> None:
        """In the list of choices that has the focus, downwards."""
        for _ in range(60):
            if self.evaluate("document.activeElement.value") == value:
                return
            self.press("ArrowDown")
        raise AssertionError(f"{value} is not among the choices")

    def follow(self, selector: str) -> None:
        """Clicks and waits for the page that comes of it."""
        self.evaluate("document.documentElement.dataset.before = 'yes'")
        self.evaluate(f"document.querySelector({json.dumps(selector)}).click()")
        self.wait_for("document.readyState === 'complete' && !document.documentElement.dataset.before")

    def complaints(self) -> list[str]:
        """What the console said: refused by the content security policy, not found, failed."""
        entries = [h["params"]["entry"] for h in self.heard if h.get("method") == "Log.entryAdded"]
        return [entry["text"] for entry in entries if entry["level"] in {"error", "warning"}]

    def requested(self) -> list[str]:
        return [h["params"]["request"]["url"] for h in self.heard if h.get("method") == "Network.requestWillBeSent"]
