"""One simulated batch under the loop: the plant is read and moved directly, the turn is the one of a live reactor."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from controller.edge.opcua import scanning
from controller.edge.situation import situation_of
from controller.loop.mode_ladder import Ladder
from controller.loop.parts import Parts
from controller.loop.records import Command, Intent, Mode, Situation
from controller.loop.turn import Memory, turn
from controller.settings import Settings, process_of
from plant_sim.batch import Batch
from plant_sim.instruments import Signal, Status
from twin.records import Estimate
from twin.signals import Assay, Quality, Reading, Role, Snapshot

START = datetime(2026, 1, 1, tzinfo=UTC)
PLANT_SCAN_S = 100.0  # local loops three times slower than usual, which pH and temperature do not notice (design)
QUALITY = {Status.GOOD: Quality.GOOD, Status.UNCERTAIN: Quality.UNCERTAIN, Status.BAD: Quality.BAD}


@dataclass(frozen=True, slots=True)
class Scan:
    """What is true after one scan, and what was believed; `estimate` is None where nobody estimates."""

    hours: float
    truth: Mapping[str, float]
    setpoints: Mapping[str, float]
    estimate: Estimate | None = None


def simulated(settings: Settings, seed: int, recipe: object | None = None) -> Batch:
    """A batch of the plant that these settings describe."""
    design = process_of(settings).design()
    lease_s = settings.supervisor.lease_s
    return Batch(design, seed, lease_s=lease_s, recipe=recipe or design.recipe, scan_s=PLANT_SCAN_S)  # type: ignore[arg-type]


def alone(settings: Settings, batch: Batch, every_h: float = 1.0) -> Iterator[Scan]:
    """The batch under its own recipe, seen every so often."""
    for k in range(1, round(settings.batch.length_h / every_h) + 1):
        batch.advance(3600.0 * every_h)
        yield Scan(k * every_h, batch.truth(), setpoints(settings, batch))


def steered(
    settings: Settings, batch: Batch, parts: Parts, each: Callable[[Scan], None] | None = None
) -> Iterator[Scan]:
    """The batch under the loop in auto; each scan is told to `each`, and one an hour is given.

    An operator who wants auto is always there: where the gates have refused it, it is asked for again at every scan.
    """
    reader = Reader(settings, batch)
    memory = Memory(Ladder(Mode.AUTO, "campaign"))
    scan_h = settings.connection.scan_s / 3600.0
    hourly = max(1, round(1.0 / scan_h))
    for k in range(round(settings.batch.length_h / scan_h)):
        snapshot, situation = reader.read()
        if memory.ladder.mode is not Mode.AUTO:
            wanted = Intent("mode", "campaign", snapshot.time, mode=Mode.AUTO)
            situation = replace(situation, intents=(wanted,))
        decision, memory = turn(memory, snapshot, situation, parts)
        reader.write(decision.command)
        batch.advance(settings.connection.scan_s)
        seen = Scan((k + 1) * scan_h, batch.truth(), setpoints(settings, batch), decision.estimate)
        if each is not None:
            each(seen)
        if (k + 1) % hourly == 0:
            yield seen


def setpoints(settings: Settings, batch: Batch) -> dict[str, float]:
    """The setpoints in force, by variable."""
    active = batch.active_setpoints()
    return {v.name: active[_pump(v.setpoint)] for v in settings.variable if v.setpoint and _pump(v.setpoint) in active}


class Reader:
    """Reads and writes the simulated plant as the edge would, without a wire."""

    def __init__(self, settings: Settings, batch: Batch) -> None:
        self._settings, self._batch = settings, batch
        self._seen: dict[str, float] = {}
        self._beat = 0

    def read(self) -> tuple[Snapshot, Situation]:
        """All readings, the assays that are new, and what is known besides."""
        settings, batch = self._settings, self._batch
        time = START + timedelta(seconds=batch.elapsed_s)
        readings, assays = {}, []
        for variable in settings.variable:
            if variable.role is not Role.ASSAYED:
                readings[variable.name] = _reading(batch.signals[variable.node], variable.unit, time)
                continue
            result = batch.laboratory.results.get(variable.node)
            if result is None or result.signal.value is None or self._seen.get(variable.name) == result.sampled_s:
                continue
            self._seen[variable.name] = result.sampled_s
            drawn = START + timedelta(seconds=result.sampled_s)
            quality = QUALITY[result.signal.status]
            assays.append(Assay(variable.name, result.signal.value, variable.unit, drawn, time, quality))
        local = batch.local_setpoints()
        scan = scanning.Scan(
            snapshot=Snapshot(time, readings, tuple(assays)),
            batch=batch.name,
            batch_start=START,
            phase=str(batch.phase),
            setpoints=setpoints(settings, batch),
            local={v.name: local[_pump(v.setpoint)] for v in settings.variable if v.setpoint},
        )
        return scan.snapshot, situation_of(scan, settings)

    def write(self, command: Command | None) -> None:
        """The command's setpoints with their leases; what is not commanded goes back to the recipe."""
        batch = self._batch
        self._beat += 1
        batch.lease.beat(self._beat, batch.elapsed_s)
        moves = {m.variable: m.value for m in command.moves} if command else {}
        for variable in self._settings.variable:
            if not variable.setpoint:
                continue
            pump, value = _pump(variable.setpoint), moves.get(variable.name)
            batch.lease.valid_until_s[pump] = None
            if value is not None and command is not None:
                batch.lease.remote[pump] = value
                batch.lease.valid_until_s[pump] = (command.valid_until - START).total_seconds()


def _pump(tag: str | None) -> str:
    return (tag or "").partition(".")[0]


def _reading(signal: Signal, unit: str, time: datetime) -> Reading:
    return Reading(signal.value, unit, time, QUALITY[signal.status])
