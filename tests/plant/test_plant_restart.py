"""The simulated plant as a process: it says when it is ready, stops when asked, and survives being killed."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from controller.processes.penicillin.plant import DESIGN as PENICILLIN
from plant_sim import checkpoint
from plant_sim.batch import Batch
from plant_sim.faults import Fault, FaultKind
from plant_sim.server import START, main

H = 3600.0
TAGS = [i.point.tag for i in PENICILLIN.online]


DESIGN = "controller.processes.penicillin.plant:DESIGN"


@contextmanager
def process(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """The plant in a process of its own, ready; killed at the end if it still runs."""
    with subprocess.Popen(
        [
            sys.executable,
            "-m",
            "plant_sim.server",
            "--design",
            DESIGN,
            *arguments,
        ],
        stdout=subprocess.PIPE,
        text=True,
    ) as plant:
        try:
            assert select.select([plant.stdout], [], [], 90)[0], "not ready within 90 s"
            assert plant.stdout.readline() == f"plant ready {arguments[1]}\n"
            yield plant
        finally:
            plant.kill()


def stopped(plant: subprocess.Popen[str], how: signal.Signals) -> int:
    plant.send_signal(how)
    return plant.wait(30)


def test_killed_at_any_moment_it_goes_on_as_if_nothing_had_happened(endpoint, connect, tmp_path: Path):
    arguments = ["--endpoint", endpoint, "--seed", "7", "--checkpoint", str(tmp_path / "plant.json")]
    arguments += ["--truth", str(tmp_path / "truth.csv")]

    async def before():
        async with connect(endpoint) as plant:
            await plant.advance(13 * H)  # a sample is at the laboratory
            await plant.call("SET_FAULT", "AIC101.PV", "bias", 0.05)
            validity = START + timedelta(hours=40)
            await plant.write({"FIC202.SP": 0.001, "FIC202.VALID_UNTIL": validity, "SUPERVISOR.HEARTBEAT": 5})

    async def after():
        async with connect(endpoint) as plant:
            assert await plant.value("SUPERVISOR.HEARTBEAT") == 5
            assert await plant.value("FIC202.SP_ACTIVE") == 0.001
            await plant.advance(1800.0)
            await plant.advance(5 * H)
            seen = await plant.read(*TAGS, "LAB.PRODUCT")
            assert await plant.value("SUPERVISOR.LEASE_LAPSES") == 1
            return {tag: value.Value.Value for tag, value in seen.items()}

    with process(*arguments) as plant:
        asyncio.run(before())
        os.kill(plant.pid, signal.SIGKILL)
        plant.wait(20)
    with process(*arguments) as plant:
        seen = asyncio.run(after())
        assert stopped(plant, signal.SIGINT) == 0

    uninterrupted = Batch(PENICILLIN, 7)
    uninterrupted.advance(13 * H)
    uninterrupted.break_(Fault(FaultKind.BIAS, "AIC101.PV", 0.05, 13 * H))
    uninterrupted.lease.remote["FIC202"], uninterrupted.lease.valid_until_s["FIC202"] = 0.001, 40 * H
    uninterrupted.lease.beat(5, 13 * H)
    uninterrupted.advance(5.5 * H)
    assert seen == {
        **{tag: signal.value for tag, signal in uninterrupted.signals.items()},
        "LAB.PRODUCT": uninterrupted.laboratory.results["LAB.PRODUCT"].signal.value,
    }
    hours = [float(row.split(",")[1]) for row in (tmp_path / "truth.csv").read_text().splitlines()[1:]]
    assert hours == [0.0, 13.0, 13.5, 18.5]


def test_killed_while_its_clock_runs_it_loses_no_more_than_a_scan(endpoint, connect, tmp_path: Path):
    arguments = ["--endpoint", endpoint, "--seed", "7", "--speed", "3000"]
    arguments += ["--checkpoint", str(tmp_path / "plant.json")]

    async def time(wait_s: float):
        async with connect(endpoint) as plant:
            await asyncio.sleep(wait_s)
            return (await plant.read("WI101.PV"))["WI101.PV"].SourceTimestamp

    with process(*arguments) as plant:
        last = asyncio.run(time(0.5))
        os.kill(plant.pid, signal.SIGKILL)
        plant.wait(20)
    with process(*arguments) as plant:
        first = asyncio.run(time(0.0))
        assert stopped(plant, signal.SIGTERM) == 0
    assert START < last <= first


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--seed", "8"], "the checkpoint is of another batch (seed 7), not of SIM-008"),
        (["--seed", "7", "--start", "2026-02-01"], "the checkpoint's batch began at 2026-01-01T00:00:00+00:00"),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused_in_one_sentence(tmp_path, endpoint, arguments, sentence, capsys):
    path = tmp_path / "plant.json"
    checkpoint.save(path, {"start": START.isoformat(), "batch": Batch(PENICILLIN, 7).memory()})
    assert main(["--design", DESIGN, "--endpoint", endpoint, "--checkpoint", str(path), *arguments]) == 2
    assert f"the plant cannot run: {sentence}" in capsys.readouterr().err


def test_an_occupied_port_is_refused_in_one_sentence_and_touches_no_file(capsys, tmp_path: Path):
    files = ["--checkpoint", str(tmp_path / "plant.json"), "--truth", str(tmp_path / "truth.csv")]
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        assert (
            main(["--design", DESIGN, "--endpoint", f"opc.tcp://127.0.0.1:{other.getsockname()[1]}/neurotwin", *files])
            == 2
        )
    said = capsys.readouterr()
    assert "address already in use" in said.err
    assert "ready" not in said.out
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("speed", ["0", "-1", "nan", "inf", "fast"])
def test_a_speed_that_is_none_is_refused(speed, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["--speed", speed])
    assert "--speed" in capsys.readouterr().err
