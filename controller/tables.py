"""The tables of a configuration file, each a frozen dataclass that refuses unknown keys and wrong values.

The numbers that stand here as defaults are design choices; every one can be set in the file.
"""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Iterable
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import ConfigDict, Field, Strict, model_validator
from pydantic.dataclasses import dataclass

from twin.signals import Role

UNITS = frozenset(
    "% pH degC K kg g L mL h s g/L mg/L mmol/L cells/L cells/mL g/(L.h) mmol/(L.h) 1/h L/h mL/h L/min mL/min vvm "
    "W kW rpm bar mbar cP mS/cm mV".split()
)

Number = Annotated[float, Strict(), Field(allow_inf_nan=False)]
Positive = Annotated[float, Strict(), Field(gt=0, allow_inf_nan=False)]
Flag = Annotated[bool, Strict()]
Whole = Annotated[int, Strict(), Field(ge=0)]
Port = Annotated[int, Strict(), Field(ge=1, le=65535)]
Text = Annotated[str, Field(min_length=1)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]

STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True, config=STRICT)
class PlantTable:
    """[plant]: what is controlled; `model` is a module of twin.models."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
    model: Text
    description: str = ""
    advisory_only: Flag = False

    @model_validator(mode="after")
    def _known(self) -> PlantTable:
        known = model_names()
        require(self.model in known, f"model {self.model!r} does not exist{instead(self.model, known)}")
        return self


@dataclass(frozen=True, config=STRICT)
class ConnectionTable:
    """[connection]: where the plant's OPC UA server is and how patiently it is asked."""

    endpoint: Text
    namespace: Text  # URI; the index is looked up anew at every connection
    timeout_s: Positive = 5.0
    scan_s: Positive = 300.0  # process seconds between turns
    poll_s: Positive = 0.2  # wall seconds between looks at a plant that runs by itself
    lockstep: Flag = False  # advance the plant scan by scan, when it offers `advance_node`
    advance_node: Text | None = None
    reconnect_max_delay_s: Positive = 4.0
    user: Text | None = None
    password_file: Path | None = None

    @model_validator(mode="after")
    def _complete(self) -> ConnectionTable:
        scheme, host = urlsplit(self.endpoint).scheme, urlsplit(self.endpoint).hostname
        require(
            scheme == "opc.tcp" and host is not None,
            f"endpoint {self.endpoint!r} is no OPC UA address; write it as 'opc.tcp://host:4840/path'",
        )
        require(
            (self.user is None) == (self.password_file is None),
            "user and password_file go together; give both, or neither for an anonymous session",
        )
        require(not self.lockstep or self.advance_node is not None, "lockstep needs advance_node; add it")
        _readable("password_file", self.password_file)
        return self

    def password(self) -> str | None:
        """The first line of the password file; None for an anonymous session."""
        return None if self.password_file is None else _first_line(self.password_file)


@dataclass(frozen=True, config=STRICT)
class VariableTable:
    """[[variable]]: one quantity, its unit, normal span and tags; a manipulated one has a setpoint tag too."""

    name: Name
    unit: Text
    low: Number
    high: Number
    role: Role
    node: Text  # the measured value, or the laboratory result
    text: str = ""
    max_age_s: Positive | None = None  # default: three scans; an assay does not age
    setpoint: Text | None = None
    valid_until: Text | None = None
    active: Text | None = None
    local: Text | None = None

    @model_validator(mode="after")
    def _sound(self) -> VariableTable:
        require(self.unit in UNITS, f"unit {self.unit!r} is not known{instead(self.unit, UNITS)}")
        require(self.low < self.high, f"low {self.low:g} is not below high {self.high:g}; mend the span")
        moved = self.role is Role.MANIPULATED
        require(not moved or self.setpoint is not None, "a manipulated variable needs the tag of its setpoint")
        for key in ("setpoint", "valid_until", "active", "local"):
            given = getattr(self, key) is not None
            require(moved or not given, f"{key} belongs to a manipulated variable; remove it or mend role")
        return self


@dataclass(frozen=True, config=STRICT)
class SupervisorTable:
    """[supervisor]: the heartbeat by which the plant knows that the controller lives."""

    heartbeat: Text
    lease_s: Positive = 3600.0  # how long the plant waits for a beat; compared with `lease_node`
    lease_node: Text | None = None
    in_control: Text | None = None
    lapses: Text | None = None


@dataclass(frozen=True, config=STRICT)
class BatchTable:
    """[batch]: where the plant says which batch runs; a plant without these gets an id from its name and date."""

    length_h: Positive = 230.0
    id: Text | None = None
    start: Text | None = None
    phase: Text | None = None


@dataclass(frozen=True, config=STRICT)
class LoopTable:
    """[loop]: how often is planned, and how long words and commands hold (process seconds)."""

    plan_every_s: Positive = 3600.0
    suggestion_valid_s: Positive = 14400.0
    command_valid_s: Positive = 1800.0  # the lease that a command carries
    minimum_gain_percent: Annotated[float, Strict(), Field(ge=0, allow_inf_nan=False)] = 0.5
    horizon: Literal["batch end"] = "batch end"


@dataclass(frozen=True, config=STRICT)
class LimitTable:
    """[limits.NAME]: how far and how fast one manipulated variable may be moved, and in which phases."""

    low: Number
    high: Number
    max_step: Positive  # the largest change of one planning
    max_rate_per_h: Positive
    phases: Annotated[tuple[Text, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _ordered(self) -> LimitTable:
        require(self.low < self.high, f"low {self.low:g} is not below high {self.high:g}; mend the limits")
        return self


@dataclass(frozen=True, config=STRICT)
class EnvelopeTable:
    """[envelope.NAME]: what a forecast of this quantity must stay within."""

    unit: Text
    low: Number = -math.inf
    high: Number = math.inf

    @model_validator(mode="after")
    def _bounded(self) -> EnvelopeTable:
        require(self.unit in UNITS, f"unit {self.unit!r} is not known{instead(self.unit, UNITS)}")
        require(math.isfinite(self.low) or math.isfinite(self.high), "neither low nor high is given; add one")
        require(self.low < self.high, f"low {self.low:g} is not below high {self.high:g}; mend the envelope")
        return self


@dataclass(frozen=True, config=STRICT)
class GatesTable:
    """[gates]: what must hold before the controller acts by itself."""

    evidence: tuple[Text, ...] = ()  # variables that must be good and fresh
    novelty_max: Annotated[float, Strict(), Field(gt=0, le=1)] = 0.8
    nis_ratio_max: Positive = 5.0  # innovation squared over its degrees of freedom; 1 when twin and plant agree
    patience: Annotated[int, Strict(), Field(ge=1)] = 3  # scans in a row that a gate may fail


@dataclass(frozen=True, config=STRICT)
class HistorianTable:
    """[historian]: the SQLite file that holds every scan and decision; {plant} stands for the plant's name."""

    path: Path


@dataclass(frozen=True, config=STRICT)
class InfluxTable:
    """[influx]: the InfluxDB that the outbox feeds; without this table nothing is forwarded."""

    url: Annotated[str, Field(pattern=r"^https?://")]
    org: Text
    bucket: Text
    token_file: Path

    @model_validator(mode="after")
    def _token(self) -> InfluxTable:
        _readable("token_file", self.token_file)
        return self

    def token(self) -> str:
        """The first line of the token file."""
        return _first_line(self.token_file)


@dataclass(frozen=True, config=STRICT)
class ServiceTable:
    """[gateway] and [console]: where each of them listens, on this machine only."""

    host: Text = "127.0.0.1"
    port: Port = 8420

    @model_validator(mode="after")
    def _loopback(self) -> ServiceTable:
        require(
            _is_loopback(self.host),
            f"host {self.host!r} can be reached from other machines, and this version has no sign-in; use '127.0.0.1'",
        )
        return self


@dataclass(frozen=True, config=STRICT)
class NeuroCoreTable:
    """[neurocore]: which implementation learns, and its seed."""

    backend: Literal["lava-fixed", "lava-float", "reference", "loihi2"] = "lava-fixed"
    seed: Whole = 0


TABLES: dict[str, type] = {
    "plant": PlantTable,
    "connection": ConnectionTable,
    "variable": VariableTable,
    "supervisor": SupervisorTable,
    "batch": BatchTable,
    "loop": LoopTable,
    "limits": LimitTable,
    "envelope": EnvelopeTable,
    "gates": GatesTable,
    "historian": HistorianTable,
    "influx": InfluxTable,
    "gateway": ServiceTable,
    "console": ServiceTable,
    "neurocore": NeuroCoreTable,
}


def require(holds: bool, sentence: str) -> None:
    """Refuse the value with this sentence unless the condition holds."""
    if not holds:
        raise ValueError(sentence)


def instead(given: str, known: Iterable[str]) -> str:
    """How to mend a name: the nearest valid one, or all of them."""
    names = sorted(known)
    near = get_close_matches(given, names, n=1, cutoff=0.5)
    if near:
        return f"; did you mean {near[0]!r}?"
    return f"; valid are {', '.join(names)}" if names else "; remove it"


def _readable(key: str, path: Path | None) -> None:
    if path is not None:
        require(path.is_file(), f"{key} {str(path)!r} does not exist; create it or mend the path")


def _first_line(path: Path) -> str:
    return path.read_text(encoding="utf-8").splitlines()[0].strip()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def model_names() -> tuple[str, ...]:
    """The names of the models that the twin knows."""
    folder = Path(str(files("twin"))) / "models"
    return tuple(sorted(p.stem for p in folder.glob("*.py") if not p.stem.startswith("_")))
