"""`neurotwin demo`: the whole loop in one go, with nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx


def test_a_headless_day_runs_in_lockstep_on_lava_and_reports(tools: Any, tmp_path: Path) -> None:
    command = [*tools.neurotwin, "demo", "--headless", "--hours", "24", "--speed", "max", "--json"]
    done = subprocess.run([*command, "--out", str(tmp_path)], capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr[-3000:]
    report = json.loads(done.stdout)
    assert report["neurocore_backend"] == "lava-fixed"
    assert report["scans"] >= 24 * 12
    assert report["commands_written"] > 0
    assert report["outbox_pending"] in (0, None)
    assert report["lease_lapses"] == 0
    assert report["historian_rows"] > report["scans"]
    assert 0.0 < report["neurocore_ms_per_scan_p50"] < 1000.0
    assert set(report["estimate_nrmse"]) == {"biomass", "substrate", "product"}
    assert report["estimate_nrmse"]["biomass"] < 0.3


def test_ctrl_c_ends_plant_controller_and_console(tools: Any, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*tools.neurotwin, "demo", "--speed", "600", "--out", str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    try:
        address = ""
        while "Open http://" not in address:
            address = process.stdout.readline()
            assert address or process.poll() is None
        url = address.split("Open ")[1].strip()
        assert httpx.get(url, follow_redirects=True, timeout=30).status_code == 200
        family = tools.descendants(process.pid)
        assert len(family) >= 3
        os.kill(process.pid, signal.SIGINT)
        assert process.wait(200) == 0
        alive = {pid for pid in family if Path(f"/proc/{pid}").exists()}
        deadline = time.monotonic() + 50
        while alive and time.monotonic() < deadline:
            time.sleep(0.1)
            alive = {pid for pid in alive if Path(f"/proc/{pid}").exists()}
        assert not alive
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(10)
        process.stdout.close()
