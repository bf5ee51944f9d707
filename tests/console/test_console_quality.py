"""What every display must keep: readable by machines that read aloud, nothing cut off at either size."""

from __future__ import annotations

import time

import pytest
from axe_playwright_python.sync_playwright import Axe

DISPLAYS = ["", "/trends", "/twin", "/neurocore", "/pharmacoloop", "/what-if", "/alarms", "/batch", "/audit", "/system"]
CUT = """() => [...document.querySelectorAll('.panel, .stack, .header, .nav, .alarm-bar, .banner, .columns')]
  .filter(e => e.offsetParent && e.scrollWidth > e.clientWidth + 1).map(e => e.className)"""
OVERLAP = """() => { const seen = [...document.querySelectorAll('.panel')].filter(e => e.offsetParent)
  .map(e => [e.className, e.getBoundingClientRect()]); const found = [];
  for (const [i, [a, p]] of seen.entries()) for (const [b, q] of seen.slice(i + 1))
    if (Math.min(p.right, q.right) - Math.max(p.left, q.left) > 1
      && Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top) > 1) found.push(a + ' | ' + b);
  return found; }"""


@pytest.fixture(scope="module")
def context(browser):
    context = browser.new_context(viewport={"width": 1366, "height": 768})
    context.set_default_timeout(20000)
    yield context
    context.close()


def settle(page):
    """Wait until fonts are there and what arrives with the first data has its place."""
    page.evaluate("document.fonts.ready.then(() => true)")
    time.sleep(0.7)


def grave(page):
    """What axe calls serious or critical, as rule and element."""
    found = Axe().run(page).response["violations"]
    return [(v["id"], v["nodes"][0]["html"][:160]) for v in found if v["impact"] in ("serious", "critical")]


@pytest.mark.parametrize("display", DISPLAYS)
def test_a_display_reads_well_and_fits_both_screens(context, gateway, console_url, display):
    page = context.new_page()
    faults = []
    page.on("pageerror", lambda fault: faults.append(str(fault)))
    page.goto(f"{console_url}/reactor/R1{display}")
    page.get_by_text("PEN-0042").first.wait_for()
    page.locator("nav .here").wait_for()
    settle(page)
    for width, height in ((1366, 768), (1920, 1080)):
        page.set_viewport_size({"width": width, "height": height})
        time.sleep(0.3)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(CUT) == []
        assert page.evaluate(OVERLAP) == []
    assert grave(page) == []
    page.get_by_label("Switch between light and dark").click()
    page.locator("body.body--dark").wait_for()
    time.sleep(0.5)
    assert grave(page) == []
    page.close()
    assert faults == []


def test_overview_and_sign_in_read_well_too(context, gateway, console_url):
    page = context.new_page()
    for path, text in (("/", "Nothing abnormal"), ("/sign-in", "Sign in to NeuroTwin")):
        page.goto(f"{console_url}{path}")
        page.get_by_text(text).first.wait_for()
        settle(page)
        assert page.evaluate(CUT) == []
        assert grave(page) == []
    page.close()
