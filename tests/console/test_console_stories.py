"""What people do at the console, walked in a browser before a real plant, its controller and a gateway with users."""

from __future__ import annotations

import asyncio
import re
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import tomli_w
from asyncua import Client, ua

from controller.edge.users import UserRole, Users
from controller.processes import find

OXYGEN = {  # as it ships
    "name": "oxygen_bad", "text": "Oxygen probe", "signal": "process.dissolved_oxygen", "kind": "bad",
    "on_delay_s": 300.0, "priority": "high", "consequence": "Oxygen is not seen, and nothing is written.",
    "response": "Check the probe and its cable.",
}  # fmt: skip
NEUROTWIN = [sys.executable, "-m", "controller.cli"]
READY_S = 180.0  # a busy machine compiles slowly
WARM = {  # stands from the first scan on
    "name": "broth_warm", "text": "Broth warm", "signal": "process.temperature", "kind": "high", "limit": 20.0,
    "unit": "degC", "priority": "medium", "consequence": "The culture wears out.", "response": "Check the jacket.",
}  # fmt: skip


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Plant:
    """A simulated plant, its controller and its console, each a process of its own."""

    def __init__(self, folder):
        self.folder, self.processes = folder, {}
        content = find("penicillin").content()
        content["connection"]["endpoint"] = f"opc.tcp://127.0.0.1:{free_port()}/neurotwin"
        content["historian"] = {"path": str(folder / "historian.sqlite")}
        content["gateway"], content["console"] = {"port": free_port()}, {"port": free_port()}
        content["access"] = {"users": "users.json"}
        content["neurocore"]["backend"] = "reference"
        content["alarm"], content["alarms"] = [WARM, OXYGEN], {}  # and not those that lie in a file beside it
        content["loop"]["suggestion_valid_s"] = 10800.0  # 36 s by the wall: so long no rejected one returns
        self.endpoint = content["connection"]["endpoint"]
        self.config = folder / "penicillin.toml"
        self.config.write_text(tomli_w.dumps(content))
        self.url = f"http://127.0.0.1:{content['console']['port']}"
        self.gateway_port, self.console_port = content["gateway"]["port"], content["console"]["port"]
        users = Users(folder / "users.json")
        self.passwords = {
            name: users.add(name, role) for name, role in (("vera", UserRole.VIEWER), ("omar", UserRole.OPERATOR))
        }

    def start(self, what, *options):
        with (self.folder / f"{what}.log").open("a") as out:
            command = [*NEUROTWIN, what, str(self.config), *options]
            self.processes[what] = subprocess.Popen(command, stdout=out, stderr=out, start_new_session=True)

    def stop(self, what):
        process = self.processes.pop(what)
        process.send_signal(signal.SIGTERM)
        process.wait(90)

    def at_the_plant(self, work):
        """What an OPC UA client of one's own finds or does there; given the client and the namespace."""

        async def visit():
            async with Client(self.endpoint, timeout=10) as client:
                return await work(client, await client.get_namespace_index("urn:neurotwin:plant"))

        with ThreadPoolExecutor(1) as thread:  # this one has the browser's event loop
            return thread.submit(asyncio.run, visit()).result(60)

    def value(self, tag):
        async def read(client, index):
            return await client.get_node(ua.NodeId(tag, index)).read_value()

        return self.at_the_plant(read)

    def simulate(self, method, *arguments):
        async def call(client, index):
            return await client.get_node(ua.NodeId("SIMULATION", index)).call_method(
                ua.NodeId(f"SIMULATION.{method}", index), *arguments
            )

        return self.at_the_plant(call)

    def await_port(self, port):
        until = time.monotonic() + READY_S
        while time.monotonic() < until and all(process.poll() is None for process in self.processes.values()):
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.2)
        logs = "\n".join(path.read_text()[-1500:] for path in self.folder.glob("*.log"))
        raise AssertionError(f"nobody listens at port {port}\n{logs}")


@pytest.fixture(scope="module")
def plant(tmp_path_factory):
    built = Plant(tmp_path_factory.mktemp("plant"))
    built.start("plant", "--speed", "300", "--seed", "3")
    time.sleep(3)
    built.start("run", "--mode", "advisory", "--wait", "150")
    built.start("console")
    try:
        built.await_port(built.console_port)
        built.await_port(built.gateway_port)
        yield built
    finally:
        for what in ("console", "run", "plant"):
            if what in built.processes:
                built.stop(what)


def signed_in(browser, plant, name, display=""):
    """A browser of this person's own, at a display."""
    context = browser.new_context(viewport={"width": 1366, "height": 768})
    context.set_default_timeout(40000)
    page = context.new_page()
    page.goto(f"{plant.url}/reactor/R1{display}")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(plant.passwords[name])
    page.get_by_role("button", name="Sign in").click()
    page.locator("nav .here").wait_for()
    page.get_by_text("SIM-003").first.wait_for()
    return page


@pytest.fixture(scope="module")
def omar(browser, plant):
    page = signed_in(browser, plant, "omar")
    yield page
    page.context.close()


def go(page, plant, display):
    page.goto(f"{plant.url}/reactor/R1{display}")
    page.locator("nav .here").wait_for()
    return page


def says(page, where, pattern, within_s=40.0):
    """Wait until that part of the page says so; what it says instead is in the failure."""
    until, text = time.monotonic() + within_s, ""
    while time.monotonic() < until:
        text = " / ".join(page.locator(where).all_inner_texts())
        if re.search(pattern, text):
            return
        time.sleep(0.1)
    raise AssertionError(f"{where} says {text!r}, not {pattern!r}")


def press(page, text):
    page.locator(".dialog").get_by_role("button", name=text).click()


def test_a_wrong_password_lets_nobody_in_and_says_no_more(browser, plant):
    context = browser.new_context()
    page = context.new_page()
    page.goto(plant.url)
    page.get_by_label("Name").fill("omar")
    page.get_by_label("Password").fill("guess")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_text("✕ Name or password is wrong").wait_for()
    assert page.locator(".reactor-card").count() == 0
    context.close()


def test_an_alarm_is_seen_on_every_display_acknowledged_in_one_click_and_shelved(omar, plant):
    omar.goto(plant.url)
    says(omar, ".reactor-card", "1 alarm, 1 not acknowledged: ▼ MEDIUM Broth warm")
    page = go(omar, plant, "/twin")
    bar = page.locator(".alarm-bar")
    bar.get_by_text(re.compile("MEDIUM Broth warm")).wait_for()
    bar.get_by_role("button", name="Acknowledge").click()
    bar.get_by_text("1 alarm, 0 not acknowledged").wait_for()
    go(page, plant, "/alarms").get_by_role("button", name="Shelve").click()
    page.get_by_label("Reason").fill("jacket is being mended")
    press(page, "Shelve")
    says(page, ".dialog", "✓ Granted")
    press(page, "Close")
    page.locator(".summary").get_by_text(re.compile("by omar, jacket is being mended, until")).wait_for()
    bar.get_by_text("✓ No alarm").wait_for()


def answer(page, verb, reason):
    """Answer the suggestion that is open, until one was: it may be replaced while a person reads it."""
    for _ in range(6):
        page.locator(".suggestion").get_by_role("button", name=verb).click(timeout=150000)
        page.locator(".dialog").get_by_label(re.compile("^(Reason|Remark)")).fill(reason)
        press(page, verb)
        page.locator(".dialog .ruling").get_by_text(re.compile("^(✓|✕)")).wait_for()
        told = page.locator(".dialog .ruling").inner_text()
        press(page, "Close")
        page.locator(".dialog").wait_for(state="hidden")
        if told.startswith("✓"):
            return told
    raise AssertionError(told)


def test_a_rejected_suggestion_is_in_the_audit_with_its_reason_and_nothing_is_written(omar, plant):
    page = go(omar, plant, "")
    assert "Rejected; nothing is written" in answer(page, "Reject", "the new lot of PAA is not released")
    assert plant.value("FIC202.SP_ACTIVE") == plant.value("FIC202.SP_LOCAL")
    go(page, plant, "/audit")
    says(page, ".audit", "(?s)reject.*omar: .*the new lot of PAA is not released")
    trail = [*NEUROTWIN, "audit", "show", "--config", str(plant.config)]
    found = subprocess.run(trail, capture_output=True, text=True, timeout=120, check=True).stdout
    assert re.search("omar.*the new lot of PAA is not released", found)


def test_an_accepted_suggestion_is_written_and_the_plant_follows_it(omar, plant):
    page = go(omar, plant, "")
    told = answer(page, "Accept", "agreed")
    written = re.search(r"Written: S\S+ by omar: .*?(precursor feed|feed) = ([\d.e-]+) L/h.* read back", told)
    assert written, told
    pump = {"feed": "FIC201", "precursor feed": "FIC202"}[written[1]]
    value = float(written[2])
    assert plant.value(f"{pump}.SP_ACTIVE") == pytest.approx(value, rel=1e-4)
    until = time.monotonic() + 20
    while time.monotonic() < until and plant.value(f"{pump}.PV") != pytest.approx(value, rel=0.1):
        time.sleep(0.2)
    assert plant.value(f"{pump}.PV") == pytest.approx(value, rel=0.1)
    says(page, ".faceplate .plate-mode", "REMOTE")
    says(page, ".events", "written")


def test_a_failing_oxygen_probe_is_an_alarm_that_says_what_follows_and_what_to_do(omar, plant):
    page = go(omar, plant, "")
    assert "HIGH Oxygen probe" not in page.locator(".alarm-bar").inner_text()
    plant.simulate("INJECT_FAULT", "bad", "AIC102.PV", 0.0, 0.0)
    page.locator(".alarm-bar").get_by_text(re.compile("HIGH Oxygen probe: ")).wait_for()
    says(page, ".banner", "✕ Quality bad: Dissolved oxygen .BadSensorFailure")
    go(page, plant, "/alarms")
    says(page, ".summary", "(?s)Oxygen is not seen, and nothing is written.*Check the probe and its cable")
    page.locator(".alarm-bar").get_by_role("button", name="Acknowledge").click()
    assert plant.simulate("CLEAR_FAULT", "AIC102.PV") == 1
    page.locator(".alarm-bar").get_by_text("HIGH Oxygen probe").wait_for(state="hidden")
    says(page, ".banner", "All readings good")


def test_what_if_shows_both_plans_and_what_safety_admits_is_written_and_read_back(omar, plant):
    page = go(omar, plant, "/what-if")
    field = page.get_by_label(re.compile("^Precursor feed")).first
    wanted = f"{float(field.input_value()) + 0.0001:.6f}"  # a little more than in force, whatever was accepted before
    field.fill(wanted)
    page.get_by_role("button", name="Forecast").click()
    says(page, ".by-hand .ruling, .effect-panel", r"at the end: [+−\d]")
    says(page, ".effect-panel", "✓ Safety would let it through now")
    drawn = "() => getElement(document.querySelector('.chart').id.slice(1)).chart.getOption().series"
    drawn += ".filter(s => s.id.includes(':fan1') && s.data.length > 5).length"
    page.wait_for_function(f"({drawn})() >= 1")
    page.get_by_role("button", name="Write these setpoints").click()
    page.get_by_label("Reason").fill("PAA is running low")
    press(page, "Write")
    says(page, ".dialog", "✓ Granted: Written: .* read back")
    press(page, "Close")
    go(page, plant, "")
    card = page.locator(".faceplate").filter(has=page.get_by_role("heading", name="Precursor feed"))
    card.locator(".plate-mode").get_by_text("REMOTE").wait_for()
    assert card.locator(".big").nth(1).inner_text() == wanted


def test_the_unit_display_tells_phase_and_batch_and_the_report_of_the_batch_opens(omar, plant):
    page = go(omar, plant, "")
    says(page, ".course", r"Phase \d of \d, for \d+ h \d\d min, until ")
    says(page, ".course", r"Batch running, batch time \d+ h \d\d min")
    go(page, plant, "/batch")
    says(page, ".recipe", "the plant reports production")
    with page.expect_popup() as opened:
        page.get_by_role("link", name="Open the report").click()
    report = opened.value
    report.get_by_role("heading", name="Batch SIM-003").wait_for(timeout=150000)
    assert "agreed" in report.content() and "the new lot of PAA is not released" in report.content()
    report.close()


def test_a_result_entered_by_hand_moves_the_estimate(omar, plant):
    page = go(omar, plant, "/twin")
    row = page.locator("tr").filter(has=page.locator("td", has_text=re.compile("^Biomass$"))).first
    row.wait_for()
    before = float(row.locator("td").nth(1).inner_text())
    go(page, plant, "/batch").get_by_role("button", name="Result").click()
    page.get_by_label("What was measured").click()
    page.get_by_role("option", name=re.compile("^Biomass")).click()
    page.get_by_label("Value").fill(f"{before * 3 + 1:.2f}")
    press(page, "Enter")
    says(page, ".dialog", "✓ Granted")
    press(page, "Close")
    page.locator(".history").get_by_text("Biomass").first.wait_for()
    go(page, plant, "/twin")
    row.wait_for()
    page.wait_for_function(
        "least => Number([...document.querySelectorAll('tr')].find(r => r.cells[0]?.innerText === 'Biomass')"
        "?.cells[1].innerText) > least",
        arg=before * 1.1,
    )


def test_a_viewer_sees_the_same_in_another_browser_and_is_refused_a_write(browser, omar, plant):
    vera = signed_in(browser, plant, "vera")
    go(omar, plant, "")
    vera.get_by_text("vera (viewer)").wait_for()
    assert vera.get_by_role("button", name="Change mode").locator("visible=true").count() == 0
    assert omar.get_by_role("button", name="Change mode").is_visible()
    plates = [page.locator(".faceplate .plate-mode").all_inner_texts() for page in (vera, omar)]
    assert plates[0] == plates[1]
    go(vera, plant, "/batch").get_by_text("You may look only").wait_for()
    vera.get_by_role("button", name="Sign out").click()
    vera.get_by_text("Sign in to NeuroTwin").wait_for()
    vera.goto(f"{plant.url}/reactor/R1")
    vera.get_by_text("Sign in to NeuroTwin").wait_for()
    vera.context.close()


def test_reloaded_in_mid_batch_a_display_shows_the_present_again(omar, plant):
    page = go(omar, plant, "/trends")
    page.get_by_role("button", name="8 h", exact=True).click()
    page.reload()
    page.locator(".trends").get_by_role("button", name="8 h", exact=True, pressed=True).wait_for()
    page.get_by_text("omar (operator)").wait_for()


def test_a_controller_that_is_gone_is_told_and_its_return_is_noticed(omar, plant):
    page = go(omar, plant, "")
    plant.stop("run")
    page.locator(".banner").get_by_text(re.compile("Controller not reachable since")).wait_for()
    plant.start("run", "--wait", "150")
    plant.await_port(plant.gateway_port)
    page.get_by_text("Sign in to NeuroTwin").wait_for(timeout=90000)  # its sessions ended with it
    page.get_by_label("Name").fill("omar")
    page.get_by_label("Password").fill(plant.passwords["omar"])
    page.get_by_role("button", name="Sign in").click()
    page.locator(".reactor-card").get_by_text("SIM-003").wait_for()


def test_no_secret_is_in_any_log(plant):
    text = "".join(path.read_text() for path in plant.folder.glob("*.log"))
    secrets = [*plant.passwords.values(), (plant.folder / "gateway.token").read_text().strip()]
    assert text
    assert not any(secret in text for secret in secrets)
