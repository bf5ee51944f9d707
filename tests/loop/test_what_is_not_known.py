"""What a gateway does not say for some scans ends no hold and no abort, moves nothing up, and makes up no batch."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controller.assembly import alarms_of, envelope_of, recipe_of
from controller.edge.opcua.raw import Raw
from controller.edge.opcua.scanning import Scanner
from controller.edge.opcua.tags import PlantLost
from controller.edge.situation import UNKNOWN, situation_of
from controller.loop.batch_records import BatchState
from controller.loop.mode_ladder import Gates, Ladder
from controller.loop.records import Abstention, Decision, Intent, Mode, Move, Proposal, Suggestion
from controller.loop.turn import Cadence, Memory, Parts, turn
from controller.processes import find, shipped
from controller.settings import Settings, load
from twin.records import Plan, Step, Track
from twin.signals import Quality, Role

START, SCAN, HOUR = datetime(2026, 1, 5, tzinfo=UTC), timedelta(minutes=5), timedelta(hours=1)
WAYS = ("uncertain", "bad", "null", "of another type", "absent")
STATES = ("running", "held", "aborted")


@dataclass
class Eager:
    """Engine, core and loop in one, which always propose to raise every setpoint as far as a step goes."""

    world: Any
    settings: Settings
    raised: int = 0

    def assimilate(self, track: Track | None, snapshot: Any) -> Track:
        return Track(replace(self.world.estimate, time=snapshot.time), ())

    def forecast(self, estimate: Any, correction: Any, plan: Plan) -> Any:
        return replace(self.world.proposed, made_at=estimate.time, plan=plan)

    def learn(self, learned: object, snapshot: Any, estimate: Any) -> tuple[Any, object]:
        return self.world.insight, learned

    def hold(self, estimate: Any, situation: Any) -> Plan:
        return Plan((Step(estimate.time, dict(situation.setpoints)),), situation.batch_end)

    def propose(self, estimate: Any, insight: Any, baseline: Any, situation: Any, remembered: object) -> Proposal:
        now = estimate.time
        moves = tuple(
            Move(name, min(limit.high, situation.setpoints[name] + limit.max_step), "L/h", situation.setpoints[name])
            for name, limit in self.settings.limits.items()
            if name in situation.setpoints
        )
        if not moves:
            return Proposal(Abstention(now, "nothing is known"))
        self.raised += 1
        plan = self.hold(estimate, situation)
        return Proposal(Suggestion(f"S{self.raised}", now, now + 4 * HOUR, "setpoints", moves, plan, "up", None))


@dataclass
class Gateway:
    """A plant that follows what is commanded under its lease, behind something that spoils what is shown of it."""

    settings: Settings
    world: Any
    mode: Mode
    time: datetime = START + 60 * HOUR
    batch: str = "SIM-007"
    spoiled: dict[str, str] = field(default_factory=dict)  # node -> way
    seen: list[Decision] = field(default_factory=list)

    def __post_init__(self) -> None:
        eager = Eager(self.world, self.settings)
        alarms, rules = alarms_of(self.settings)
        envelope = replace(envelope_of(self.settings), interlocks=(), bounds=())
        gates = Gates(0.999, 1e9, 3)
        plant = self.settings.plant_record()
        recipe = recipe_of(self.settings)
        self.parts = Parts(plant, eager, eager, eager, envelope, gates, Cadence(HOUR, HOUR / 2), recipe, alarms, rules)
        self.memory, self.scanner = Memory(Ladder(self.mode, "test")), Scanner(self.settings)
        self.local = {
            v.name: 0.5 * (lim.low + lim.high)
            for v in self.settings.manipulated()
            for lim in [self.settings.limits[v.name]]
        }
        self.commanded: dict[str, float] = {}
        self.valid_until = self.time

    def in_force(self) -> dict[str, float]:
        alive = self.time <= self.valid_until
        return {name: self.commanded.get(name, value) if alive else value for name, value in self.local.items()}

    def raws(self) -> dict[str, Raw]:
        s, found = self.settings, dict[str, Raw]()
        active = self.in_force()
        for v in s.variables:
            value = active[v.name] if v.role is Role.MANIPULATED else v.low + 0.6 * (v.high - v.low)
            bad = v.role is Role.ASSAYED
            status = Quality.BAD if bad else Quality.GOOD
            found[v.node] = Raw(None if bad else value, status, "", self.time)
            for key, shown in (("active", active), ("setpoint", active), ("local", self.local)):
                if node := getattr(v, key):
                    found[node] = Raw(shown[v.name], Quality.GOOD, "Good", self.time)
        plain = {
            s.batch.id: self.batch,
            s.batch.start: START,
            s.batch.phase: "production",
            s.supervisor.in_control: True,
            s.supervisor.lapses: 0,
        }
        found |= {node: Raw(value, Quality.GOOD, "Good", self.time) for node, value in plain.items() if node}
        for node, way in self.spoiled.items():
            if way == "absent":
                found.pop(node, None)
            else:
                found[node] = spoiled(found[node], way)
        return found

    def scan(self, *kinds: str) -> Decision:
        self.time += SCAN
        scan = self.scanner.scan(self.raws())
        intents = tuple(Intent(kind, "ada", self.time, reason="because") for kind in kinds)
        decision, self.memory = turn(self.memory, scan.snapshot, situation_of(scan, self.settings, intents), self.parts)
        if decision.command is not None:
            self.commanded = {m.variable: m.value for m in decision.command.moves}
            self.valid_until = decision.command.valid_until
        else:
            self.valid_until = self.time - SCAN
        self.seen.append(decision)
        return decision


def spoiled(raw: Raw, way: str) -> Raw:
    match way:
        case "uncertain":
            return Raw(raw.value, Quality.UNCERTAIN, "UncertainLastUsableValue", raw.time)
        case "bad":
            return Raw(None, Quality.BAD, "BadCommunicationError", raw.time)
        case "null":
            return Raw(None, Quality.GOOD, "Good", raw.time)
        case _:
            return Raw(b"?", Quality.GOOD, "Good", raw.time)


def tags(of: Settings) -> list[str]:
    about = [of.batch.id, of.batch.start, of.batch.phase, of.supervisor.in_control, of.supervisor.lapses]
    about += [node for v in of.manipulated() for node in (v.local, v.active)]
    return [node for node in about if node]


@pytest.fixture(scope="module", params=shipped())
def shipped_settings(request: pytest.FixtureRequest) -> Settings:
    return load(find(request.param).configuration)


drawn = st.fixed_dictionaries(
    {
        "mode": st.sampled_from([Mode.OFF, Mode.SHADOW, Mode.ADVISORY, Mode.AUTO]),
        "state": st.sampled_from(STATES),
        "spells": st.lists(
            st.tuples(st.integers(0, 30), st.sampled_from(WAYS), st.integers(1, 10)), min_size=1, max_size=4
        ),
    }
)


@given(drawn=drawn)
@settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_whatever_is_not_known_for_a_while_nothing_that_was_safe_is_undone(
    shipped_settings: Settings, world: Any, drawn: Any
) -> None:
    plant = Gateway(shipped_settings, world, drawn["mode"])
    for _ in range(3):
        plant.scan()
    asked = {"running": "", "held": "hold", "aborted": "abort"}[drawn["state"]]
    if asked:
        plant.scan(asked)
        for _ in range(60):
            plant.scan()
    settled_at, begin = plant.seen[-1], len(plant.seen)
    resting = settled_at.batch.state
    for which, way, scans in drawn["spells"]:
        about = tags(plant.settings)
        plant.spoiled = {about[which % len(about)]: way}
        for _ in range(scans):
            plant.scan()
        plant.spoiled = {}
        plant.scan()
    after = plant.seen[begin:]
    assert {d.situation.batch for d in after} == {"SIM-007"}
    assert all(
        a.batch.fed[n] >= b.batch.fed[n] for b, a in zip(plant.seen, plant.seen[1:], strict=False) for n in b.batch.fed
    )
    if drawn["state"] == "aborted":
        assert {d.batch.state for d in after} == {BatchState.ABORTED}
        assert all(d.command is None for d in after)
    if drawn["state"] == "held":
        assert {d.batch.state for d in after} <= {BatchState.HELD, BatchState.HOLDING}
        assert plant.seen[-1].batch.state is resting
        before = settled_at.situation.setpoints
        for decision in after:
            for name, value in decision.situation.setpoints.items():
                assert value <= before[name] * (1 + 1e-9) or resting is not BatchState.HELD
    if drawn["state"] == "running":
        assert {d.batch.phase for d in after} <= {after[0].batch.phase, *(p.name for p in plant.parts.recipe.phases)}
        assert not any(
            note.startswith("phase") and "begins" in note
            for d in after
            for note in d.notes
            if UNKNOWN in d.situation.conditions and shipped_settings.batch.phase in d.situation.conditions[UNKNOWN]
        )


@pytest.mark.parametrize("way", WAYS)
def test_hold_and_abort_are_accepted_in_a_scan_in_which_nothing_about_the_batch_is_known(
    shipped_settings: Settings, world: Any, way: str
) -> None:
    for kind, reached in (("hold", {BatchState.HOLDING, BatchState.HELD}), ("abort", {BatchState.ABORTED})):
        plant = Gateway(shipped_settings, world, Mode.AUTO)
        plant.scan()
        plant.spoiled = dict.fromkeys(tags(plant.settings), way)
        decision = plant.scan(kind)
        (ruling,) = (r for r in decision.rulings if r.intent.kind == kind)
        assert ruling.granted
        assert decision.batch.state in reached | {BatchState.ABORTING}
        assert UNKNOWN in decision.situation.conditions


def test_a_batch_ends_and_begins_on_a_good_reading_of_another_id_alone(shipped_settings: Settings, world: Any) -> None:
    plant = Gateway(shipped_settings, world, Mode.ADVISORY)
    plant.scan()
    plant.batch = "SIM-008"
    plant.spoiled = {plant.settings.batch.id: "uncertain"}
    assert plant.scan().situation.batch == "SIM-007"
    plant.spoiled = {}
    assert plant.scan().situation.batch == "SIM-008"


def test_before_the_plant_ever_named_its_batch_none_is_made_up(shipped_settings: Settings, world: Any) -> None:
    plant = Gateway(shipped_settings, world, Mode.ADVISORY)
    plant.spoiled = {plant.settings.batch.id: "bad"}
    with pytest.raises(PlantLost, match="has not said yet which batch runs"):
        plant.scan()
    plant.scanner.facts.resume("SIM-006", START, "production", START)  # but the record knows the one before
    assert plant.scan().situation.batch == "SIM-006"


def test_a_phase_that_is_not_known_for_long_stops_all_but_a_hold_and_says_so(
    shipped_settings: Settings, world: Any
) -> None:
    plant = Gateway(shipped_settings, world, Mode.AUTO)
    for _ in range(3):
        plant.scan()
    plant.spoiled = {plant.settings.batch.phase: "bad"}
    decisions = [plant.scan() for _ in range(9)]
    assert not decisions[4].situation.faults
    assert any("has not been known since" in fault for fault in decisions[-1].situation.faults)
    assert decisions[-1].batch.state is BatchState.RUNNING
