"""Small, plausible records to build a situation from; each test changes the one thing it is about."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import tomli_w
from hypothesis import settings

from controller.assembly import Assembly, assemble
from controller.edge import serve
from controller.loop.envelope import Bound, Envelope, Limit
from controller.loop.records import Effect, Insight, Mode, Move, Situation, Suggestion
from controller.neurocore.backend import NeuroCoreLost
from controller.processes import find, shipped
from controller.settings import Settings, load
from twin.records import Band, Correction, Estimate, Forecast, Plan, Population, Step
from twin.signals import Plant, Quality, Reading, Role, Snapshot, Variable

# What compiles at its first call has no business with a deadline, and CI must fail for reasons, not by luck.
settings.register_profile("neurotwin", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("neurotwin")

ONCE_SHIPPED = {"mab", "penicillin"}
NAMED = re.compile(r'find\("(\w+)"\)|controller[./]processes[./](\w+)[./]|"--(?:plant|process)", "(\w+)"')

NOW = datetime(2026, 1, 3, 12, 0, tzinfo=UTC)
END = NOW + timedelta(hours=100)


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """What a file, or a folder's conftest, asks of a process that was taken out of the tree is left out with it."""
    asking = collection_path / "conftest.py" if collection_path.is_dir() else collection_path
    if asking.parent == Path(__file__).parent or asking.suffix != ".py" or not asking.is_file():
        return None
    named = {name for found in NAMED.findall(asking.read_text()) for name in found if name}
    return True if (named & ONCE_SHIPPED) - set(shipped()) else None


def _reading(value: float = 60.0, unit: str = "%", quality: Quality = Quality.GOOD, age_s: float = 0.0) -> Reading:
    return Reading(value, unit, NOW - timedelta(seconds=age_s), quality, "" if quality is Quality.GOOD else "made so")


def _forecast(low: float = 40.0, high: float = 80.0, mass: float = 100.0) -> Forecast:
    times = (NOW, NOW + timedelta(hours=50), END)
    flat = Band(*((value,) * 3 for value in ((low + high) / 2, low, high, low - 5, high + 5)))
    plan = Plan((Step(NOW, {"feed": 0.04, "precursor_feed": 0.0005}),), END)
    return Forecast(NOW, plan, times, {"dissolved_oxygen": flat}, (mass,) * 8, "product", "g")


def _plant() -> Plant:
    return Plant(
        "R1",
        "penicillin",
        (
            Variable("dissolved_oxygen", "%", 0.0, 120.0, Role.MEASURED, "Dissolved oxygen", 900.0),
            Variable("feed", "L/h", 0.0, 0.1, Role.MANIPULATED, "Sugar feed", 900.0),
            Variable("precursor_feed", "L/h", 0.0, 0.005, Role.MANIPULATED, "PAA feed", 900.0),
        ),
    )


def _envelope() -> Envelope:
    return Envelope(
        limits=(
            Limit("feed", "L/h", 0.035, 0.045, 0.005, 0.01, ("production",)),
            Limit("precursor_feed", "L/h", 0.0, 0.002, 0.0005, 0.001, ("growth", "production")),
        ),
        bounds=(Bound("dissolved_oxygen", "%", 20.0, 120.0),),
        evidence=("dissolved_oxygen",),
    )


def _snapshot() -> Snapshot:
    return Snapshot(
        NOW,
        {"dissolved_oxygen": _reading(), "feed": _reading(0.042, "L/h"), "precursor_feed": _reading(0.0005, "L/h")},
    )


def _proposal() -> Suggestion:
    return Suggestion(
        id="S1",
        made_at=NOW,
        expires_at=NOW + timedelta(hours=4),
        kind="setpoints",
        moves=(Move("precursor_feed", 0.001, "L/h", 0.0005),),
        plan=Plan((Step(NOW, {"precursor_feed": 0.001}),), END),
        reason="Raise PAA feed from 0.0005 to 0.001 L/h.",
        effect=Effect("product", "g", 100.0, 108.0, 8.0, 3.0, 12.0),
    )


def _estimate() -> Estimate:
    return Estimate(
        time=NOW,
        names=("biomass",),
        mean=(10.0,),
        multiplier_names=("growth",),
        log_multipliers=(0.0,),
        covariance=((1.0, 0.0), (0.0, 0.01)),
        inputs={"feed": 0.042, "precursor_feed": 0.0005},
        innovations={},
        nis=3.0,
        nis_dof=3,
    )


def _insight() -> Insight:
    population = Population(("biomass",), (0.0,), (20.0,), ((0.5,),), 0.2)
    return Insight(
        correction=Correction(("growth",), population, ((0.0,),), 1.0, (0.5,)),
        log_multipliers={"growth": 0.0},
        novelty=0.1,
        contributions={"dissolved_oxygen": 1.0},
        stability=0.9,
        components={},
        learned=True,
        why_not="",
        backend="reference",
    )


@pytest.fixture
def world() -> SimpleNamespace:
    """One plant in good order, and a suggestion that safety has no reason to refuse."""
    return SimpleNamespace(
        now=NOW,
        end=END,
        plant=_plant(),
        envelope=_envelope(),
        snapshot=_snapshot(),
        proposal=_proposal(),
        situation=Situation("B1", "production", END, {"feed": 0.042, "precursor_feed": 0.0005}),
        estimate=_estimate(),
        insight=_insight(),
        baseline=_forecast(),
        proposed=_forecast(mass=108.0),
        reading=_reading,
        forecast=_forecast,
        mode=Mode,
    )


@pytest.fixture
def with_reading(world: SimpleNamespace) -> Callable[..., Snapshot]:
    """The snapshot with one reading exchanged."""

    def exchange(name: str, reading: Reading | None) -> Snapshot:
        readings = {**world.snapshot.readings, name: reading}
        return replace(world.snapshot, readings={k: v for k, v in readings.items() if v is not None})

    return exchange


RECORDED_SCAN_S = 600.0
RECORDED_HOURS = (9.0, 17.0)  # the first process ends and the second begins; the second ends
LOST_AT = 20  # the second process loses its NeuroCore at this scan


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _recorded_config(folder: Path) -> Path:
    content: dict[str, Any] = find("penicillin").content()
    endpoint = f"opc.tcp://127.0.0.1:{_free_port()}/neurotwin"
    content["connection"] |= {"endpoint": endpoint, "lockstep": True, "scan_s": RECORDED_SCAN_S}
    content["historian"] = {"path": "historian.sqlite"}
    content["neurocore"]["backend"] = "reference"
    content["loop"] |= {"plan_every_s": 9000.0, "suggestion_valid_s": 14400.0}  # looking ahead is what takes long
    content["loop"]["minimum_gain_percent"] = 16.0  # so that the first moves are worth it, and the last are not
    (folder / "token").write_text("secret\n")
    # Nobody listens there: what is meant for InfluxDB waits in the outbox, where tests find it.
    url = f"http://127.0.0.1:{_free_port()}"
    content["influx"] = {"url": url, "org": "plant", "bucket": "bio", "token_file": "token"}
    path = folder / "penicillin.toml"
    path.write_text(tomli_w.dumps(content))
    return path


def _with_a_loss(settings: Settings) -> Assembly:
    """The loop's parts, with a NeuroCore whose worker is gone at one of its scans."""
    assembly = assemble(settings)
    step, scans = assembly.core._backend.step, iter(range(10**6))

    def failing(payload: Any, error: Any) -> Any:
        if next(scans) == LOST_AT:
            raise NeuroCoreLost("the worker was ended for this recording")
        return step(payload, error)

    assembly.core._backend.step = failing  # type: ignore[method-assign]
    return assembly


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """A recorded batch: the simulated plant in lockstep, the loop in auto, one restart and one loss of NeuroCore.

    Tests only read it; what they change, they change in a copy.
    """
    folder = tmp_path_factory.mktemp("recorded")
    config = _recorded_config(folder)
    command = [sys.executable, "-m", "controller.cli", "plant", str(config), "--speed", "max", "--seed", "11"]
    log = folder / "plant.log"
    patience = pytest.MonkeyPatch()
    patience.setattr(serve, "FORWARDER_PATIENCE_S", 0.1)
    with log.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out) as plant:
        try:
            for hours, parts in zip(RECORDED_HOURS, (assemble, _with_a_loss), strict=True):
                control = serve.control(
                    load(config), parts, wait_s=150.0, until_hours=hours, wanted=Mode.AUTO, gateway=False
                )
                runner = asyncio.run(control)
        finally:
            plant.terminate()
            patience.undo()
    assert runner.decision is not None
    return SimpleNamespace(
        folder=folder,
        config=config,
        path=load(config).historian_path(),
        plant=runner.decision.plant,
        batch=runner.decision.situation.batch,
    )
