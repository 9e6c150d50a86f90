"""What a student does on a page: opens notebooks, runs cells, drags, types, presses; waits for what is to be seen."""

import re

from labs import Server
from pages import PATIENCE
from playwright.sync_api import Locator, Page, expect

expect.set_options(timeout=PATIENCE)


IDLE = "() => window.jupyterapp?.shell.currentWidget?.context?.sessionContext?.session?.kernel?.status === 'idle'"


class Notebook:
    """A notebook that is open in JupyterLab."""

    def __init__(self, page: Page, server: Server, name: str):
        self.page = page
        page.goto(server.url(name))
        self.cells = page.locator(".jp-Notebook .jp-CodeCell")
        expect(self.cells.first).to_be_visible()
        self.idle()

    def begin(self, command: str, **options: object) -> None:
        """Give one of JupyterLab's commands, as its menus do."""
        self.page.evaluate(
            """([command, options]) => {
                window.ended = false;
                window.jupyterapp.commands.execute(command, options).then(() => { window.ended = true; });
            }""",
            [command, options],
        )

    def ended(self) -> None:
        """Wait until the command that was begun has done its work."""
        self.page.wait_for_function("() => window.ended")

    def idle(self) -> None:
        """Wait until the kernel is there and has nothing to do."""
        self.page.wait_for_function(IDLE)

    def run(self) -> "Notebook":
        """Run all cells."""
        self.begin("notebook:run-all-cells")
        self.ended()
        self.idle()
        return self

    def run_cell(self, number: int) -> None:
        """Run one cell by the keyboard."""
        prompt = self.cells.nth(number).locator(".jp-InputPrompt")
        before = prompt.inner_text()
        self.cells.nth(number).locator(".cm-content").click()
        self.page.keyboard.press("Control+Enter")
        expect(prompt).not_to_have_text(before)
        expect(prompt).to_have_text(re.compile(r"\[\d+\]"))

    def restart(self) -> None:
        """Restart the kernel, and say yes to the question."""
        self.begin("notebook:restart-kernel")
        self.page.locator(".jp-Dialog .jp-mod-accept").click()
        self.ended()
        self.idle()

    def panel(self, cell: int) -> "OnPage":
        """The panel below a code cell, counted from 0."""
        return OnPage(self.cells.nth(cell).locator(".vlprompt-panel"))


class OnPage:
    """A panel on a page."""

    def __init__(self, where: Locator):
        self.where = where
        self.page = where.page
        self.picture = where.locator("figure img")
        expect(self.picture).to_be_visible()
        where.scroll_into_view_if_needed()

    @property
    def words(self) -> str:
        """What the picture says."""
        return self.picture.get_attribute("alt")

    @property
    def source(self) -> str:
        """The picture itself."""
        return self.picture.get_attribute("src")

    def says(self, words: str | re.Pattern) -> None:
        """Wait until the picture says this."""
        words = re.compile(re.escape(words)) if isinstance(words, str) else words
        expect(self.picture).to_have_attribute("alt", words)

    def slider(self, name: str) -> Locator:
        return self.where.get_by_role("slider", name=name)

    def drag(self, name: str, share: float) -> None:
        """Drag a slider's handle to a place between its ends, 0 to 1, and let it go."""
        handle = self.slider(name)
        handle.scroll_into_view_if_needed()
        box = handle.bounding_box()
        track = handle.locator("xpath=ancestor::*[contains(@class, 'noUi-base')]").bounding_box()
        height = box["y"] + box["height"] / 2
        self.page.mouse.move(box["x"] + box["width"] / 2, height)
        self.page.mouse.down()
        self.page.mouse.move(track["x"] + share * track["width"], height, steps=6)
        self.page.mouse.up()

    def press(self, name: str) -> None:
        self.where.get_by_role("button", name=name).click()

    def changed(self, before: str) -> None:
        """Wait until the picture is another one."""
        expect(self.picture).not_to_have_attribute("src", before)
