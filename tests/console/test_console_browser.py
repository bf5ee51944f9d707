"""The console in a real browser, in front of a real gateway."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from dataclasses import replace
from itertools import pairwise

import httpx
import pytest

from controller.loop.records import Abstention, Mode
from twin.signals import Quality

RULED_WITHIN_MS = 2000  # a second is wanted; shared machines are slow


@pytest.fixture(scope="module")
def context(browser):
    """One browser profile, so that scripts are loaded once; each test has a tab of its own, and so its own storage."""
    context = browser.new_context(viewport={"width": 1366, "height": 768})
    context.set_default_timeout(15000)
    yield context
    context.close()


@pytest.fixture
def opened(context, gateway, console_url):
    """Opens a display over this test's own bench, once it shows that bench's batch."""
    page = context.new_page()
    page.faults = []
    page.on("pageerror", lambda fault: page.faults.append(str(fault)))
    page.on("request", lambda request: page.faults.append(request.url) if foreign(request.url, console_url) else None)
    gateway.app.state.source.notify()

    def go(display=""):
        page.goto(f"{console_url}/reactor/R1{display}")
        page.get_by_text("PEN-0042").first.wait_for()
        return page

    yield go
    page.close()
    assert page.faults == []


@pytest.fixture
def page(opened):
    """The unit display."""
    page = opened()
    # The line to the gateway may still hold what the last test left.
    page.locator(".suggestion").get_by_text("open until").wait_for()
    return page


@pytest.fixture
def trends(opened):
    """The trends over the whole page."""
    return opened("/trends")


def foreign(url, own):
    return not url.startswith((own, own.replace("http", "ws"), "data:", "blob:"))


def row(page, name):
    return page.locator("tr").filter(has=page.locator("td", has_text=re.compile(f"^{name}$"))).first


def cells(page, name):
    return [text.strip() for text in row(page, name).locator("td").all_inner_texts()]


def plate(page, name):
    """PV, SP, OP, mode and owner on a faceplate."""
    card = page.locator(".faceplate").filter(has=page.get_by_role("heading", name=name))
    return [
        *card.locator(".big").all_inner_texts(),
        card.locator(".plate-mode").inner_text(),
        card.locator(".plate-line .num").first.inner_text(),
    ]


def give(page, label, text):
    page.get_by_label(label).fill(text)


def press(page, text):
    page.locator(".dialog").get_by_role("button", name=text).click()


def shows(page, where, text, timeout=RULED_WITHIN_MS):
    page.locator(where).get_by_text(text).first.wait_for(timeout=timeout)


def window_shown(page):
    """The hours that the trend's zoom shows, as the chart itself has them."""
    return page.evaluate(
        """() => { const id = document.querySelector('.chart').id.slice(1);
        const zoom = getElement(id).chart.getOption().dataZoom[0]; return [zoom.startValue, zoom.endValue]; }"""
    )


def test_the_page_shows_values_units_quality_estimates_setpoints_and_mode(page):
    assert cells(page, "Dissolved oxygen")[2:] == ["40.9", "%", "✓"]
    assert cells(page, "Temperature")[2:] == ["24.98", "°C", "✓"]
    assert cells(page, "Sugar feed")[2:] == ["0.0420", "L/h", "✓"]
    assert cells(page, "Biomass")[1:] == ["17.12", "± 0.35", "g/L", "17.09 at 88.0 h"]
    assert plate(page, "Sugar feed") == ["0.0420", "0.0420", "42.5", "LOCAL", "the plant's own recipe"]
    assert plate(page, "Precursor feed")[2] == "–"  # its plant shows no output
    assert page.locator(".mode-name").inner_text() == "ADVISORY"
    assert page.get_by_text("96 h 15 min").first.is_visible()
    assert page.get_by_text("A. Keller: commissioning is finished").first.is_visible()
    assert "All readings good" in page.locator(".banner").inner_text()
    assert "96 h 15 min since inoculation" in page.locator(".course").inner_text()
    drawn = page.get_by_role("img", name="Dissolved oxygen: 40.9 %, quality good")
    assert drawn.is_visible()
    assert page.get_by_text("Research use only").count() == 0


def test_the_page_shows_the_suggestion_with_its_effect_and_limits(page):
    card = page.locator(".suggestion").inner_text()
    assert "Raising the sugar feed from 0.0420 to 0.0460 L/h" in card
    assert "Penicillin at harvest: 1.444 → 1.504 g/L" in card
    assert "Gain +0.060 g/L (80 %: +0.021 to +0.098)" in card
    assert "Limited: The feed may rise by 0.0040 L/h in one hour." in card
    assert "open until 100.0 h (3 h 45 min left)" in card


def test_bad_quality_is_told_by_sign_word_and_reason(page, bench):
    snapshot = bench.decision.snapshot
    oxygen = replace(snapshot.readings["dissolved_oxygen"], quality=Quality.BAD, reason="probe frozen")
    readings = dict(snapshot.readings) | {"dissolved_oxygen": oxygen}
    nothing = Abstention(bench.decision.time, "no suggestion while dissolved oxygen is bad")
    bench.decision = replace(
        bench.decision,
        snapshot=replace(snapshot, readings=readings),
        mode_reason="demoted from auto: the evidence is bad",
        proposal=nothing,
        open=False,
    )
    bench.notify()
    shows(page, ".banner", "✕ Quality bad: Dissolved oxygen (probe frozen).")
    shows(page, ".banner", "▲ Demoted from auto: the evidence is bad.")
    assert cells(page, "Dissolved oxygen")[4] == "✕"
    assert page.get_by_text("bad: probe frozen", exact=True).is_visible()
    shows(page, ".suggestion", "No suggestion while dissolved oxygen is bad.")
    assert page.get_by_role("button", name="Accept").count() == 0


def test_accepting_reaches_the_loop_and_the_ruling_is_shown_in_words(page, bench):
    page.get_by_role("button", name="Accept").click()
    give(page, "Your name", " ")
    press(page, "Accept")
    shows(page, ".dialog", "Please give your name.")
    assert bench.intents == []
    give(page, "Your name", "B. Ito")
    press(page, "Accept")
    shows(page, ".dialog", "✓ Granted: S-0017 is accepted.")
    (intent,) = bench.intents
    assert (intent.kind, intent.by, intent.suggestion) == ("accept", "B. Ito", "S-0017")
    press(page, "Close")
    shows(page, ".suggestion", "in force by B. Ito, lease until 97.2 h")
    assert plate(page, "Sugar feed")[1:] == ["0.0460", "42.5", "REMOTE", "NeuroTwin"]
    shows(page, ".events", "B. Ito: S-0017 is accepted")


def test_rejecting_needs_a_reason(page, bench):
    page.get_by_role("button", name="Reject").click()
    give(page, "Your name", "B. Ito")
    press(page, "Reject")
    shows(page, ".dialog", "Please give a reason")
    assert bench.intents == []
    give(page, "Reason", "foam is rising")
    press(page, "Reject")
    shows(page, ".dialog", "✓ Granted: S-0017 is rejected.")
    assert bench.intents[0].reason == "foam is rising"
    shows(page, ".suggestion", "B. Ito rejected S-0017: foam is rising.")


def test_a_refusal_is_shown_with_its_reason(page, bench):
    page.get_by_role("button", name="Accept").click()
    give(page, "Your name", "B. Ito")
    bench.decision = replace(bench.decision, open=False)  # it expires while the dialog is open
    press(page, "Accept")
    shows(page, ".dialog", "✕ Refused: Nothing is open: the suggestion has expired or was answered.")


def test_an_answer_that_has_to_wait_for_a_turn_says_so_and_then_what_became_of_it(page, bench):
    bench.silent_turns = True
    page.get_by_role("button", name="Accept").click()
    give(page, "Your name", "B. Ito")
    press(page, "Accept")
    shows(page, ".dialog", "Asked; the next reading decides.")
    shows(page, ".dialog", "Queued: it is judged in the next turn", timeout=80000)
    bench.silent_turns = False
    shows(page, ".dialog", "✓ Granted")


def test_a_controller_that_was_started_anew_meanwhile_knows_nothing_of_what_was_asked(page, bench, gateway):
    bench.silent_turns = True
    page.get_by_role("button", name="Accept").click()
    give(page, "Your name", "B. Ito")
    press(page, "Accept")
    shows(page, ".dialog", "Queued: it is judged in the next turn", timeout=80000)
    gateway.stop()
    bench.silent_turns = False
    gateway.start(bench)
    shows(page, ".dialog", "▲ Not known: The controller was started anew and knows nothing of it", timeout=80000)


def test_the_report_opens_from_the_batch_display(opened):
    page = opened("/batch")
    with page.expect_popup() as report:
        page.get_by_role("link", name="Open the report").click()
    report.value.get_by_role("heading", name="Batch PEN-0042").wait_for()
    report.value.close()


def test_auto_is_set_only_when_it_is_confirmed_a_second_time(page, bench):
    page.get_by_role("button", name="Change mode").click()
    page.locator(".dialog").get_by_role("button", name="AUTO").click()
    shows(page, ".dialog", "Sugar feed: 0 to 0.08 L/h, at most 0.004 in an hour.")
    give(page, "Your name", "A. Keller")
    give(page, "Reason", "night shift")
    press(page, "Set mode")
    shows(page, ".dialog", "Press again to confirm.")
    assert bench.intents == []
    press(page, "Yes, let it write")
    shows(page, ".dialog", "✓ Granted: The mode is auto.")
    assert (bench.intents[0].mode, bench.intents[0].reason) == (Mode.AUTO, "night shift")
    press(page, "Close")
    shows(page, ".mode", "AUTO")


def test_a_reload_keeps_what_this_person_looks_at_and_the_ground(trends):
    page = trends
    page.get_by_role("button", name="24 h").click()
    page.get_by_label("Switch between light and dark").click()
    shows(page, ".trends", "78.2 h to 102.2 h", timeout=80000)
    page.reload()
    shows(page, ".trends", "78.2 h to 102.2 h", timeout=150000)
    assert "body--dark" in page.locator("body").get_attribute("class")
    assert window_shown(page) == pytest.approx([78.25, 102.25], abs=0.02)


def test_a_zoom_survives_the_updates_that_follow(trends, bench):
    page = trends
    shows(page, ".trends", "0.0 h to 230.0 h", timeout=80000)
    chart = page.locator(".chart canvas").first
    chart.wait_for()
    box = chart.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.keyboard.down("Control")
    for _ in range(4):
        page.mouse.wheel(0, -200)
    page.keyboard.up("Control")
    page.locator(".trends").get_by_role("button", name="Zoomed", pressed=True).wait_for(timeout=80000)
    zoomed = window_shown(page)
    assert zoomed[1] - zoomed[0] < 200
    later = bench.decision.time.replace(minute=20)
    bench.decision = replace(bench.decision, time=later)
    bench.notify()
    page.get_by_text("96 h 20 min").first.wait_for()
    time.sleep(3)  # the trend is drawn anew within two seconds
    assert window_shown(page) == pytest.approx(zoomed, abs=0.01)


def test_nothing_overlaps_or_is_cut_off_when_the_window_changes_its_size(page):
    for width, height in ((1920, 1080), (1366, 768), (1280, 720)):
        page.set_viewport_size({"width": width, "height": height})
        time.sleep(0.5)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        boxes = [page.locator(f".{side}").bounding_box() for side in ("left", "middle", "right")]
        for first, second in pairwise(boxes):
            assert first["x"] + first["width"] <= second["x"]
        cut = "[...document.querySelectorAll('.panel, .stack')].filter(e => e.scrollWidth > e.clientWidth + 1).length"
        assert page.evaluate(cut) == 0


def test_a_gateway_that_goes_away_is_told_at_once_and_its_return_is_noticed(page, bench, gateway):
    gateway.stop()
    page.locator(".banner").get_by_text(re.compile("Controller not reachable since .* last received")).wait_for()
    assert cells(page, "Temperature")[2] == "24.98"  # kept, and marked as old
    assert "old" in page.locator(".content").get_attribute("class")
    assert page.get_by_role("button", name="Accept").count() == 0
    page.reload()
    page.locator(".banner").get_by_text(re.compile("Controller not reachable since")).wait_for()
    gateway.start(bench)
    page.locator(".banner").get_by_text("All readings good").wait_for()
    assert page.get_by_role("button", name="Accept").is_visible()


@pytest.fixture
def patient(bench, gateway):
    """The controller is started anew for a plant that is advisory only."""
    bench.advisory_only = True
    gateway.stop()
    gateway.start(bench)
    yield
    bench.advisory_only = False
    gateway.stop()
    gateway.start(bench)


def test_a_patient_is_advisory_only_and_the_page_says_so(context, patient, console_url):
    page = context.new_page()
    page.goto(console_url)
    page.get_by_role("link", name="R1").click()
    page.get_by_text("Research use only. Advisory. Not a medical device.").first.wait_for()
    page.get_by_role("button", name="Change mode").click()
    page.locator(".dialog").get_by_role("button", name="ADVISORY").wait_for()
    assert page.locator(".dialog").get_by_role("button", name="AUTO").count() == 0
    page.close()


@pytest.mark.parametrize("headers", [{"Host": "evil.example"}, {"Origin": "http://evil.example"}])
def test_the_console_turns_away_foreign_names_and_foreign_pages(console_url, headers):
    assert httpx.get(console_url, headers=headers, trust_env=False).status_code == 403


def test_a_wrong_gateway_address_is_one_sentence_and_exit_code_2():
    told = subprocess.run(
        [sys.executable, "-m", "hmi.console", "--gateway", "plant:8420", "--port", "0"], capture_output=True, text=True
    )
    assert told.returncode == 2
    assert told.stderr == ("console: gateway 'plant:8420' is no web address; write it as 'http://127.0.0.1:8420'\n")


def test_a_page_can_send_nothing_to_anybody_else(context, console_url):
    page = context.new_page()
    told = page.goto(f"{console_url}/")
    assert "frame-ancestors 'none'" in told.headers["content-security-policy"]
    stopped = page.evaluate(
        """() => new Promise(done => {
            const stopped = [];
            addEventListener("securitypolicyviolation", event => {
                if (stopped.push(event.effectiveDirective) === 2) done(stopped.sort());
            });
            new Image().src = "http://127.0.0.1:9/secret";
            fetch("http://127.0.0.1:9/secret").catch(() => {});
        })"""
    )
    assert stopped == ["connect-src", "img-src"]
    page.close()
