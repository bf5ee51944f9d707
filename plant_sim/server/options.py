"""Server options: what a caller says, or a command line."""

from __future__ import annotations

import argparse
import importlib
import math
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from plant_sim.design import PlantDesign
from plant_sim.server.security import POLICIES, Security

ENDPOINT = "opc.tcp://127.0.0.1:4840/neurotwin"  # loopback: nobody else can reach it
START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Options:
    """How to run the plant."""

    design: PlantDesign
    endpoint: str = ENDPOINT
    seed: int | None = None  # of what varies; None is the nominal plant
    speed: float | None = None  # process seconds per second; None: lockstep, a client advances it
    checkpoint: Path | None = None
    truth: Path | None = None
    lease_s: float = 3600.0
    scan_s: float = 60.0  # process seconds between published values when running by speed
    start: datetime = START
    nominal: bool = False  # no variation, with the seed's instrument noise
    faults: Path | None = None  # a script of what goes wrong (TOML)
    security: Security = field(default_factory=Security)


def arguments(argv: list[str] | None) -> Options:
    """The options of a command line; SystemExit says what is wrong with it."""
    parser = argparse.ArgumentParser(prog="plant_sim.server", description="The simulated plant over OPC UA.")
    parser.add_argument("--endpoint", default=ENDPOINT, help="where to serve (default %(default)s)")
    parser.add_argument("--design", type=_design, required=True, help="which plant to simulate, as MODULE:NAME")
    parser.add_argument("--seed", type=int, help="of what varies between batches (default: the nominal plant)")
    parser.add_argument("--nominal", action="store_true", help="the nominal plant with this seed's noise")
    parser.add_argument("--speed", type=_speed, help="process seconds per second; max (default): clients advance it")
    parser.add_argument(
        "--scan", dest="scan_s", type=_positive, default=60.0, help="process seconds between values (default 60)"
    )
    parser.add_argument(
        "--lease",
        dest="lease_s",
        type=_positive,
        default=3600.0,
        help="process seconds a heartbeat lasts (default 3600)",
    )
    parser.add_argument("--checkpoint", type=Path, help="file to go on from after a restart")
    parser.add_argument("--truth", type=Path, help="CSV file of what really is in the vessel, for a judge")
    parser.add_argument("--faults", type=Path, help="TOML file of what goes wrong and when")
    parser.add_argument("--start", type=_utc, default=START, help="process time of inoculation")
    _add_security(parser)
    given = vars(parser.parse_args(argv))
    security = Security(**{name: given.pop(name) for name in Security.__dataclass_fields__})
    return Options(**given, security=security)


def _add_security(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("security (default: an open line, on this machine only)")
    group.add_argument(
        "--security", dest="policies", nargs="+", choices=tuple(POLICIES), default=("None",), help="policies offered"
    )
    group.add_argument("--certificates", dest="folder", type=Path, default=Security().folder, help="own/ and trusted/")
    group.add_argument("--certificate", type=Path, help="instead of own/plant.der")
    group.add_argument("--key", type=Path, help="instead of own/plant.pem")
    group.add_argument("--trusted", type=Path, help="folder of client certificates, instead of trusted/")
    group.add_argument("--user", help="the one who may log in; nobody is let in without")
    group.add_argument("--password-file", type=Path, help="whose first line is the password")
    group.add_argument("--user-certificates", action="store_true", help="let in who owns a trusted certificate")


def _design(text: str) -> PlantDesign:
    module, _, name = text.partition(":")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as fault:
        raise argparse.ArgumentTypeError(f"{text} names no plant design: {fault}") from None
    if not isinstance(found, PlantDesign):
        raise argparse.ArgumentTypeError(f"{text} is a {type(found).__name__}, not a PlantDesign")
    return found


def _positive(text: str) -> float:
    if not (math.isfinite(number := float(text)) and number > 0.0):
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return number


def _speed(text: str) -> float | None:
    return None if text == "max" else _positive(text)


def _utc(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    return time if time.tzinfo else time.replace(tzinfo=UTC)
