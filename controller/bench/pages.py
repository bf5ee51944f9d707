"""Pages of the console in headless Chromium: how soon their charts are drawn, and how much memory they hold."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from controller.support.user_error import UserError

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync", "--no-first-run"]
SIZE = {"width": 1920, "height": 1080}
PATIENCE_MS = 30_000

# How many strips have a line, and how many hours lie between two points of the first one. Twice asked for the next
# frame: what is drawn by then is on the screen.
DRAWN = """
window.drawn = () => {
  const part = document.querySelector('.chart');
  const chart = part && window.getElement && getElement(part.id.slice(1))?.chart;
  const model = chart && chart.getModel();
  if (!model) return [0, Infinity];
  const lines = model.getSeries().filter(s => s.id.includes(':measured')).map(s => s.getData())
    .filter(data => data.count() > 20);
  if (!lines.length) return [0, Infinity];
  const hours = lines[0].mapArray(lines[0].dimensions[0], at => at);
  return [lines.length, (hours.at(-1) - hours[0]) / hours.length];
};
window.frame = () => new Promise(requestAnimationFrame);
window.painted = async (is, patience) => {
  const began = performance.now();
  while (!is()) {
    if (performance.now() - began > patience) throw new Error(`not drawn: ${drawn()}`);
    await frame();
  }
  await frame();
  await frame();
  return performance.now();
};
window.acted = 0;
for (const kind of ['wheel', 'click']) addEventListener(kind, () => { window.acted = performance.now(); }, true);
"""


@contextmanager
def chromium() -> Iterator[Any]:
    """The browser of this machine, without a window."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise UserError(
            "the Python package playwright is not installed; install the development dependencies"
        ) from None
    binary = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if binary is None:
        raise UserError("no Chromium was found; install it (apt-get install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=binary, headless=True, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


class TrendPage:
    """The trends of a reactor in a tab of their own."""

    def __init__(self, context: Any, console: str, reactor: str, variables: Sequence[str]) -> None:
        self._page = context.new_page()
        self._page.set_default_timeout(PATIENCE_MS)
        self._page.add_init_script(DRAWN)
        self._url = f"{console}/reactor/{reactor}/trends?show={','.join(variables)}"
        self._strips, self._spacing_h = len(variables), 0.0

    def opened_s(self) -> float:
        """From navigation until all strips are drawn."""
        self._page.goto(self._url, wait_until="commit")
        spent_s = self._painted_s(f"drawn()[0] >= {self._strips}")
        self._spacing_h = float(self._page.evaluate("drawn()[1]"))
        return spent_s

    def zoomed_s(self) -> float:
        """From the last turn of the wheel until the chart shows the detail that the new window has."""
        page = self._page
        page.get_by_role("button", name="Whole batch").click()
        page.wait_for_function(f"performance.now() - acted > 700 && drawn()[1] > {0.95 * self._spacing_h}")
        box = page.locator(".chart").bounding_box()
        page.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + 120)
        page.keyboard.down("Control")
        for _ in range(8):
            page.mouse.wheel(0, -200)
            page.wait_for_timeout(30)  # or the browser makes one turn of several
        page.keyboard.up("Control")
        return self._painted_s(f"drawn()[1] < {0.7 * self._spacing_h}", since="acted")

    def _painted_s(self, condition: str, since: str = "0") -> float:
        told = f"async () => await painted(() => {condition}, {PATIENCE_MS}) - {since}"
        return float(self._page.evaluate(told)) / 1000.0

    def close(self) -> None:
        """Close the tab."""
        self._page.close()


def watch(context: Any, address: str) -> Any:
    """A page that stays open."""
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(address)
    page.locator(".content, .reactor-card").first.wait_for()
    return page


def heap_mb(page: Any) -> float:
    """What the scripts of a page hold once what they let go is swept away."""
    session = page.context.new_cdp_session(page)
    try:
        session.send("HeapProfiler.collectGarbage")
        told = session.send("Performance.enable") or session.send("Performance.getMetrics")
        return float(next(m["value"] for m in told["metrics"] if m["name"] == "JSHeapUsedSize")) / 1e6
    finally:
        session.detach()
