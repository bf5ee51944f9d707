"""TwinEngine: the model, its filter and its forecasts bound to one Plant. It remembers nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from twin import estimate as filtering
from twin import evidence, forecast, integrate
from twin.conditioned import conditioned
from twin.correction import none
from twin.estimate import Filter, Tuning
from twin.forecast import Horizon
from twin.model import Model
from twin.records import Correction, Estimate, Forecast, Plan, Step, Track
from twin.signals import Assay, Plant, Quality, Reading, Role, Snapshot

_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)  # of the rehearsal in `warm_up`; nothing depends on it


class TwinEngine:
    """What we believe about one plant: every method is a function of its arguments alone."""

    def __init__(
        self, plant: Plant, model: Model, tuning: Tuning | None = None, horizon: Horizon | None = None
    ) -> None:
        """Bind a model to a plant; ValueError names a variable whose unit the two do not share."""
        units = {i.name: i.unit for i in model.inputs} | {o.name: o.unit for o in model.outputs}
        for variable in plant.variables:
            expected = units.get(variable.name, variable.unit)
            if variable.unit != expected:
                raise ValueError(
                    f"{plant.name} gives {variable.name} in {variable.unit}, the model {model.name} in {expected}"
                )
        if not any(evidence.variable_of(plant, output.name) for output in model.outputs):
            raise ValueError(f"{plant.name} measures nothing that the model {model.name} could be corrected by")
        self.plant = plant
        self.model = model
        self.filter = Filter(plant, model, tuning or Tuning())
        self.horizon = horizon or Horizon()

    def start(self, snapshot: Snapshot) -> Track:
        """The model's prior, corrected by the first snapshot."""
        return filtering.start(self.filter, snapshot)

    def assimilate(self, track: Track | None, snapshot: Snapshot) -> Track:
        """The track after this snapshot; None begins one. Late assays rewind to their sampling time and replay."""
        return filtering.assimilate(self.filter, track, snapshot) if track else self.start(snapshot)

    def unused(self, track: Track, snapshot: Snapshot) -> dict[str, str]:
        """Which readings and assays of the snapshot `track`, the track after it, did not use; the sentence why."""
        return filtering.unused(self.filter, track, snapshot)

    def forecast(self, estimate: Estimate, correction: Correction, plan: Plan, members: int = 32) -> Forecast:
        """The future under a plan; forecasts from one estimate are paired, member by member.

        Where the filter lags, the forecast starts from what was learned of this state.
        """
        start = conditioned(self.model, estimate, correction)
        return forecast.forecast(self.model, start, correction, plan, members, self.horizon)

    def objectives(
        self, estimate: Estimate, correction: Correction, plan: Plan, members: int = 16
    ) -> tuple[float, ...]:
        """The objective alone at the plan's end, member by member: for comparing many plans."""
        start = conditioned(self.model, estimate, correction)
        return forecast.objectives(self.model, start, correction, plan, members, self.horizon)

    def warm_up(self) -> None:
        """Compile everything, or load it from disk, so that no turn has to wait for it."""
        integrate.warm_up(self.model)
        time = _EPOCH
        online = [v for v in self.plant.variables if v.role is not Role.ASSAYED]
        readings = {v.name: Reading((v.low + v.high) / 2, v.unit, time, Quality.GOOD) for v in online}
        track = self.start(Snapshot(time, readings))
        later = time + timedelta(hours=self.model.step_h)
        assays = tuple(
            Assay(v.name, (v.low + v.high) / 2, v.unit, time, later) for v in self.plant.having(Role.ASSAYED)
        )
        track = self.assimilate(track, Snapshot(later, {}, assays))
        plan = Plan((Step(later, {}),), later + timedelta(hours=2 * self.model.step_h))
        self.forecast(track.now, none([m.name for m in self.model.multipliers]), plan, members=2)
