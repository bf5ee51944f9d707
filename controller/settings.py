"""Settings are read here and nowhere else: a TOML file becomes frozen, validated objects, or one clear sentence.

A file that cannot be used raises SettingsError, whose text names the file, the table, the key and the mend.
Relative paths in the file are taken from the folder of the file; a historian path that is not given lies in
`var` under the working directory.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError, model_validator
from pydantic.dataclasses import dataclass

from controller.processes import Process, find, is_folder
from controller.support.user_error import UserError
from controller.support.words import instead
from controller.tables import (
    TABLES,
    AccessTable,
    AlarmsTable,
    AlarmTable,
    BatchTable,
    ConnectionTable,
    DiagnosisTable,
    EnvelopeTable,
    GatesTable,
    HistorianTable,
    InfluxTable,
    InterlockTable,
    LimitTable,
    LoopTable,
    ModelTable,
    NeuroCoreTable,
    NotificationTable,
    PhaseTable,
    PlantTable,
    ServiceTable,
    SupervisorTable,
    VariableTable,
)
from controller.tables.values import STRICT, Name, Number, require
from twin.signals import Plant, Role, Variable


class SettingsError(UserError):
    """The configuration cannot be used; the text is one sentence that says what to mend."""


@dataclass(frozen=True, config=STRICT)
class Settings:
    """Everything that is configured, as it stands in the file."""

    plant: PlantTable
    connection: ConnectionTable
    variable: Annotated[tuple[VariableTable, ...], Field(min_length=1)]
    historian: HistorianTable
    limits: dict[Name, LimitTable]
    batch: BatchTable
    supervisor: SupervisorTable = Field(default_factory=SupervisorTable)
    envelope: dict[Name, EnvelopeTable] = Field(default_factory=dict)
    recipe: dict[Name, Number] = Field(default_factory=dict)
    loop: LoopTable = Field(default_factory=LoopTable)
    gates: GatesTable = Field(default_factory=GatesTable)
    influx: InfluxTable | None = None
    access: AccessTable | None = None
    gateway: ServiceTable = Field(default_factory=ServiceTable)
    console: ServiceTable = Field(default_factory=lambda: ServiceTable(port=8421))
    neurocore: NeuroCoreTable = Field(default_factory=NeuroCoreTable)
    model: ModelTable = Field(default_factory=ModelTable)
    interlock: tuple[InterlockTable, ...] = ()
    phase: tuple[PhaseTable, ...] = ()
    hold: dict[Name, Number] = Field(default_factory=dict)
    alarm: tuple[AlarmTable, ...] = ()
    alarms: AlarmsTable = Field(default_factory=AlarmsTable)
    diagnosis: DiagnosisTable = Field(default_factory=DiagnosisTable)
    notification: NotificationTable | None = None

    @property
    def variables(self) -> tuple[VariableTable, ...]:
        """The configured variables, in order."""
        return self.variable

    def historian_path(self) -> Path:
        """The SQLite file of this plant."""
        return self.historian.path

    def manipulated(self) -> tuple[VariableTable, ...]:
        """The variables that have a setpoint, in order."""
        return tuple(v for v in self.variable if v.role is Role.MANIPULATED)

    def plant_record(self) -> Plant:
        """The plant as the loop knows it; without a max_age_s of its own, a reading is stale after three scans."""
        return Plant(
            self.plant.name,
            process_of(self).name,
            tuple(Variable(v.name, v.unit, v.low, v.high, v.role, v.text, self._max_age_s(v)) for v in self.variable),
            self.plant.advisory_only,
        )

    def _max_age_s(self, variable: VariableTable) -> float:
        if variable.role is Role.ASSAYED:
            return math.inf
        return variable.max_age_s or 3 * self.connection.scan_s

    def tags(self) -> tuple[tuple[str, str, str], ...]:
        """Every configured tag as (variable or table, key, node), in the order of the file."""
        owners = [(v.name, v, ("node", "setpoint", "valid_until", "active", "local")) for v in self.variable]
        tables = (
            ("supervisor", self.supervisor, ("heartbeat", "owner", "lease_node", "in_control", "lapses")),
            ("batch", self.batch, ("id", "start", "phase")),
            ("connection", self.connection, ("advance_node",)),
        )
        found = [(name, key, getattr(table, key)) for name, table, keys in (*owners, *tables) for key in keys]
        return tuple(entry for entry in found if entry[2] is not None)

    @model_validator(mode="after")
    def _consistent(self) -> Settings:
        _once("the variable name", [(f"[[variable]] number {i + 1}", v.name) for i, v in enumerate(self.variable)])
        _once("the tag", [(f"{key} of {owner!r}", node) for owner, key, node in self.tags()])
        self._limits_fit()
        self._outputs_fit()
        self._recipe_fits()
        self._alarms_fit()
        self._times_fit()
        online = [v.name for v in self.variable if v.role is not Role.ASSAYED]
        for name in self.gates.evidence:
            require(name in online, f"[gates] evidence names {name!r}, not an on-line variable{instead(name, online)}")
        ports = self.gateway.port, self.console.port
        for name, service in (("gateway", self.gateway), ("console", self.console)):
            require(
                service.loopback or self.access is not None,
                f"[{name}] host {service.host!r} can be reached from other machines, and nobody has to sign in; add a"
                " table [access] with users, or use '127.0.0.1'",
            )
        require(ports[0] != ports[1], f"[gateway] and [console] share the port {ports[0]}; change one of them")
        return self

    def _limits_fit(self) -> None:
        moved = {v.name: v for v in self.manipulated()}
        for name in moved:
            require(
                name in self.limits, f"the manipulated variable {name!r} has no limits; add a table [limits.{name}]"
            )
        for name, limit in self.limits.items():
            require(name in moved, f"[limits.{name}] is about no manipulated variable{instead(name, moved)}")
            require(name in self.recipe, f"[recipe] lacks {name}: what the plant's own recipe sets it to; add it")
            low, high = moved[name].low, moved[name].high
            require(
                low <= limit.low and limit.high <= high,
                f"[limits.{name}] {limit.low:g} to {limit.high:g} leaves the span {low:g} to {high:g} of the variable; "
                "narrow the limits or widen the span",
            )

        online = [v.name for v in self.variable if v.role is not Role.ASSAYED]
        for number, lock in enumerate(self.interlock, 1):
            where = f"[[interlock]] number {number}"
            require(
                lock.variable in moved, f"{where}: {lock.variable!r} is not manipulated{instead(lock.variable, moved)}"
            )
            require(
                lock.reading in online, f"{where}: {lock.reading!r} is not read on line{instead(lock.reading, online)}"
            )
        for name in self.recipe:
            require(name in moved, f"[recipe] names {name!r}, no manipulated variable{instead(name, moved)}")

    def _outputs_fit(self) -> None:
        measured = [v.name for v in self.variable if v.role is Role.MEASURED]
        for v in self.manipulated():
            known = v.output is None or v.output in measured
            require(
                known, f"{v.name!r}: output names {v.output!r}, no measured variable{instead(str(v.output), measured)}"
            )

    def _recipe_fits(self) -> None:
        _once("the phase name", [(f"[[phase]] number {i + 1}", p.name) for i, p in enumerate(self.phase)])
        for where, setpoints in (("[hold]", self.hold), *((f"[[phase]] {p.name!r}", p.setpoints) for p in self.phase)):
            for name, value in setpoints.items():
                require(name in self.limits, f"{where} sets {name!r}, which has no limits{instead(name, self.limits)}")
                low, high = self.limits[name].low, self.limits[name].high
                require(
                    low <= value <= high, f"{where} sets {name} to {value:g}, outside its limits {low:g} to {high:g}"
                )
        for phase in self.phase:
            for name, narrow in phase.limits.items():
                where = f"[[phase]] {phase.name!r} limits {name!r}"
                require(name in self.limits, f"{where}, which has no [limits.{name}]{instead(name, self.limits)}")
                low, high = self.limits[name].low, self.limits[name].high
                require(
                    narrow.low <= high and narrow.high >= low, f"{where} outside [limits.{name}] {low:g} to {high:g}"
                )

    def _alarms_fit(self) -> None:
        _once("the alarm name", [(f"[[alarm]] number {i + 1}", a.name) for i, a in enumerate(self.alarm)])
        names, readings = [a.name for a in self.alarm], [v.name for v in self.variable if v.role is not Role.ASSAYED]
        for alarm in self.alarm:
            for other in alarm.unless:
                require(other in names, f"[[alarm]] {alarm.name!r}: unless names {other!r}{instead(other, names)}")
            family, _, name = alarm.signal.partition(".")
            known = family != "process" or name in readings
            require(known, f"[[alarm]] {alarm.name!r}: {name!r} is not read on line{instead(name, readings)}")

    def _times_fit(self) -> None:
        scan_s = self.connection.scan_s
        longer = {
            "[supervisor] lease_s": self.supervisor.lease_s,
            "[loop] command_valid_s": self.loop.command_valid_s,
            "[loop] suggestion_valid_s": self.loop.suggestion_valid_s,
        }
        for where, seconds in longer.items():
            require(
                seconds > scan_s,
                f"{where} = {seconds:g} would lapse between two scans of {scan_s:g} s; make it longer than scan_s",
            )


LISTS = ("variable", "interlock", "phase", "alarm")  # tables that a file may hold many of
_TLS = ("tls_certificate", "tls_key")
ACCESS = (("access", "users"), ("access", "token_file"), *((t, key) for t in ("gateway", "console") for key in _TLS))
_WANTED = {
    "float_type": "a number",
    "int_type": "a whole number",
    "bool_type": "true or false",
    "string_type": "a text in quotes",
    "path_type": "a path in quotes",
    "tuple_type": "a list in brackets",
    "dict_type": "a table",
    "dataclass_type": "a table",
    "finite_number": "a finite number",
    "string_too_short": "a text that is not empty",
    "too_short": "a list that is not empty",
    "greater_than": "greater than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than_equal": "at most {le}",
    "literal_error": "{expected}",
    "enum": "{expected}",
    "string_pattern_mismatch": "of the form {pattern}",
}


def load(path: Path) -> Settings:
    """The settings of this file; SettingsError says in one sentence why it cannot be used."""
    data = _parse(path)
    _take_paths_from(path.resolve().parent, data)
    _take_alarms(path, data)
    try:
        return TypeAdapter(Settings).validate_python(data)
    except ValidationError as fault:
        raise SettingsError(f"{path}: {_sentence(fault, data)}") from None


def process_of(settings: Settings) -> Process:
    """The process that the configuration names."""
    return find(settings.plant.process, settings.plant.trust_code)


def _parse(path: Path, wanted: str = "a configuration file") -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as fault:
        reason = (fault.strerror or "unknown error").lower()
        raise SettingsError(f"{path}: cannot be read ({reason}); give the path of {wanted}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{path}: is not UTF-8 text; save it as UTF-8") from None
    except tomllib.TOMLDecodeError as fault:
        raise SettingsError(
            f"{path}: is not valid TOML, {str(fault)[0].lower()}{str(fault)[1:]}; mend it there"
        ) from None


def _take_paths_from(folder: Path, data: dict[str, Any]) -> None:
    """Resolve what the file gives against its folder; a historian path not given lies under the working directory."""
    if isinstance(data.get("connection"), dict):
        data["connection"].setdefault("certificates", "certificates")
    secrets = ("password_file", "user_certificate", "user_key", "certificates")
    others = (
        ("influx", "token_file"),
        ("historian", "path"),
        ("notification", "url_file"),
        ("model", "parameters"),
        ("alarms", "file"),
    )
    for table, key in (*(("connection", key) for key in secrets), *others, *ACCESS):
        section = data.get(table)
        if isinstance(section, dict) and isinstance(section.get(key), str):
            section[key] = str(folder / section[key])
    historian = data.setdefault("historian", {})
    plant = data.get("plant")
    if isinstance(plant, dict) and isinstance(own := plant.get("process"), str) and is_folder(own):
        plant["process"] = str((folder / Path(own).expanduser()).resolve())
    name = str(plant.get("name")) if isinstance(plant, dict) else ""
    if isinstance(historian, dict) and isinstance(historian.setdefault("path", "var/{plant}.sqlite"), str):
        historian["path"] = historian["path"].replace("{plant}", name)
    console = data.setdefault("console", {})
    if isinstance(console, dict):
        console.setdefault("port", 8421)


def _take_alarms(configuration: Path, data: dict[str, Any]) -> None:
    """Add the alarms of the file that [alarms] names."""
    common = data.get("alarms")
    if not isinstance(common, dict) or not isinstance(common.get("file"), str):
        return
    path = Path(common["file"])
    named = f"{configuration}: file in [alarms] names"
    try:
        more = _parse(path, "a file of alarms")
    except SettingsError as fault:
        raise SettingsError(f"{named} {fault}") from None
    if set(more) != {"alarm"} or not isinstance(more["alarm"], list):
        raise SettingsError(f"{named} {path}, which holds more than [[alarm]] tables; move the rest here")
    if isinstance(data.setdefault("alarm", []), list):
        data["alarm"] += more["alarm"]


def _sentence(fault: ValidationError, data: dict[str, Any]) -> str:
    """The first fault in words; a misspelt key comes before the missing key that it should have been."""
    errors = fault.errors(include_url=False)
    first = next((e for e in errors if e["type"] == "unexpected_keyword_argument"), errors[0])
    loc, kind, found = first["loc"], first["type"], first["input"]
    where, rest = _where(loc, data)
    key = ".".join(str(part) for part in rest if part != "[key]")
    if kind == "value_error":
        reason = str(first["ctx"]["error"])
        return f"{where} {reason}" if where else reason
    if kind == "unexpected_keyword_argument":
        return _unknown(where, key, TABLES.get(str(loc[0])) if where else Settings)
    if kind == "missing":
        return f"{where} lacks the key {key!r}; add it" if key else f"the table {where} is missing; add it"
    wanted = _WANTED.get(kind, first["msg"].lower()).format(**first.get("ctx", {}))
    place = " ".join(part for part in (where, key) if part)
    return f"{place} must be {wanted}, and it is {found!r}"


def _where(loc: tuple[int | str, ...], data: dict[str, Any]) -> tuple[str, tuple[int | str, ...]]:
    """The table of an error as it is written in the file, and the keys inside it."""
    if not loc or str(loc[0]) not in TABLES:
        return "", loc
    table = str(loc[0])
    if table in LISTS and len(loc) > 1:
        entry = data[table][loc[1]]
        name = entry.get("name") if isinstance(entry, dict) else None
        return f"[[{table}]] {name!r}" if name else f"[[{table}]] number {int(loc[1]) + 1}", loc[2:]
    if table in ("limits", "envelope") and len(loc) > 1:
        return f"[{table}.{loc[1]}]", loc[2:]
    return (f"[[{table}]]" if table in LISTS else f"[{table}]"), loc[1:]


def _unknown(where: str, key: str, table: type | None) -> str:
    known = tuple(getattr(table, "__dataclass_fields__", ()))
    owner, what = (where, "key") if where else ("the file", "table or key")
    return f"{owner} has an unknown {what} {key!r}{instead(key, known)}"


def _once(what: str, places: Iterable[tuple[str, str]]) -> None:
    seen: dict[str, str] = {}
    for where, value in places:
        require(value not in seen, f"{what} {value!r} is used twice, by {seen.get(value)} and {where}; mend one")
        seen[value] = where
