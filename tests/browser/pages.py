"""A page of the browser that notes its troubles: messages of the console, errors of scripts, and look-ups outside."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

PATIENCE = 1000 * int(os.environ.get("VLPROMPT_PATIENCE", 120))  # milliseconds; a busy machine may need more

# A page is being left while it still asks for something.
LEFT = "net::ERR_ABORTED"


class Watched:
    """Listens to a page from its start; `troubles` are what a reader of its console would worry about."""

    def __init__(self, page):
        self.page = page
        self.troubles: list[str] = []
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.troubles.append(f"script: {error}"))
        page.on("request", self._asked)
        page.on("requestfailed", self._failed)

    def _said(self, message) -> None:
        if message.type == "error":
            self.troubles.append(f"console: {message.text}")

    def _asked(self, request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in ("http", "https", "ws", "wss") and parts.hostname != "127.0.0.1":
            self.troubles.append(f"asked outside: {request.url}")

    def _failed(self, request) -> None:
        if LEFT not in (request.failure or ""):
            self.troubles.append(f"failed: {request.url}: {request.failure}")


@contextmanager
def watch(browser, height: int = 900) -> Iterator[Watched]:
    """A fresh tab, 1280 pixels wide, with nothing of the others' cookies."""
    context = browser.new_context(viewport={"width": 1280, "height": height}, reduced_motion="reduce")
    context.set_default_timeout(PATIENCE)
    try:
        yield Watched(context.new_page())
    finally:
        context.close()
