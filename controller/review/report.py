"""What a batch report tells, gathered from the historian as plain data: phases, trends, advice, alarms, gaps, audit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from controller.assembly import model_of
from controller.edge.advice import AdviceLog, Past, followed
from controller.edge.historian import History
from controller.loop.alarm_records import AlarmState
from controller.loop.records import Decision
from controller.settings import Settings
from controller.support.hash_chain import digest
from controller.support.user_error import UserError
from twin.model import Model
from twin.signals import Plant, Role

Json = dict[str, Any]
BUCKETS = 700  # of a trend: more would not be seen
HALF_80 = 1.2816  # half the central 80 % interval of a unit normal
TAKEN = ("accepted", "modified", "by hand", "in force by auto")


@dataclass(slots=True)
class _Course:
    """What is folded over the decisions of the batch."""

    first: Decision
    last: Decision
    phases: list[Json] = field(default_factory=list)
    alarms: list[Json] = field(default_factory=list)
    advice: AdviceLog = field(default_factory=AdviceLog)
    turns: int = 0
    in_force: set[str] = field(default_factory=set)  # suggestions that became a command
    announced: int = 0

    def age_h(self, time: datetime) -> float:
        """Hours since the batch began."""
        return (time - (self.first.situation.batch_start or self.first.time)).total_seconds() / 3600

    def follow(self, decision: Decision) -> None:
        """Take in one turn."""
        self.turns, self.last = self.turns + 1, decision
        self.advice.follow(decision)
        if decision.command is not None:
            self.in_force.add(decision.command.id)
        name, now = decision.situation.phase or "unknown", self.age_h(decision.time)
        if not self.phases or self.phases[-1]["name"] != name:
            self.phases.append({"name": name, "start_h": now, "end_h": now})
        if len(self.phases) > 1:
            self.phases[-2]["end_h"] = self.phases[-1]["start_h"]
        self.phases[-1]["end_h"] = now
        for change in decision.alarms.changes:
            raised = change.after is AlarmState.UNACKNOWLEDGED
            self.announced += raised
            state = change.after.replace("_", " ")
            self.alarms.append({"age_h": now, "name": change.name, "state": state, "text": change.text, "bad": raised})


def content(
    history: History, settings: Settings, batch: str, progress: Callable[[int, int], None] | None = None
) -> Json:
    """All that the report shows; UserError when the historian does not know the batch."""
    plant, model = settings.plant_record(), model_of(settings)
    course = _course(history, plant.name, batch, progress)
    faults, (links, head) = history.chain_faults(), history.chain_head()
    sessions = [s for _, s in history.sessions(plant.name) if s.batch == batch]
    suggestions = [_advised(past, course, model) for past in reversed(course.advice.past())]
    gaps = _gaps(history, course, plant.name, batch)
    start, end = course.first.time, course.last.time
    return {
        "batch": batch,
        "plant": plant.name,
        "subtitle": f"{settings.plant.description or plant.name} ({plant.name}), {start:%d %b %Y %H:%M} to "
        f"{end:%d %b %Y %H:%M} UTC, process time",
        "hours": course.age_h(end),
        "tiles": list(_tiles(course, suggestions, gaps)),
        "recipe": [_phase_of_recipe(p, plant) for p in settings.phase],
        "phases": course.phases,
        "trends": _trends(history, course, plant, batch),
        "estimates": _estimates(history, course, plant, model, batch),
        "insight": _insight(history, course, plant.name, batch),
        "assays": _assays(history, course, plant, batch),
        "suggestions": suggestions,
        "alarms": course.alarms,
        "alarm_figures": _alarm_figures(course),
        "gaps": gaps,
        "audit": [
            {
                "age_h": course.age_h(e.time),
                "who": e.who,
                "what": e.what,
                "old": e.old,
                "new": e.new,
                "reason": e.reason,
            }
            for e in history.audited(plant.name, batch)
        ],
        "versions": dict(sessions[-1].versions) if sessions else {},
        "checksums": {"last hash of the record": head}
        | {f"configuration at start {n + 1}": digest(_plain(s.settings)) for n, s in enumerate(sessions)},
        "integrity": f"All {links} rows of the record are as they were recorded."
        if not faults
        else f"{len(faults)} rows are not as they were recorded: {'; '.join(faults[:3])}.",
    }


def _course(history: History, plant: str, batch: str, progress: Callable[[int, int], None] | None) -> _Course:
    numbers = history.numbers(plant, batch)
    if numbers is None:
        known = ", ".join(history.batches(plant)[-8:]) or "none"
        raise UserError(f"no decision of batch {batch!r} of {plant} is in {history.path}; it has: {known}")
    course: _Course | None = None
    for number, decision in history.numbered(plant, *numbers, batch):
        course = course or _Course(decision, decision)
        course.follow(decision)
        if progress:
            progress(number - numbers[0] + 1, numbers[1] - numbers[0] + 1)
    if course is None:
        raise UserError(f"no decision of batch {batch!r} can be read from {history.path}")
    return course


def _tiles(course: _Course, suggestions: Sequence[Json], gaps: Sequence[Json]) -> Iterator[Json]:
    taken = sum(1 for s in suggestions if s["taken"])
    yield {"value": f"{course.age_h(course.last.time):.1f} h", "text": "age at the last scan"}
    yield {"value": f"{course.turns}", "text": "turns of the loop"}
    yield {"value": f"{taken} of {len(suggestions)}", "text": "suggestions taken"}
    yield {"value": f"{course.announced}", "text": "alarms announced"}
    yield {"value": f"{len(gaps)}", "text": "intervals without data"}
    yield {"value": str(course.last.mode), "text": "mode at the end"}


def _phase_of_recipe(phase: Any, plant: Plant) -> Json:
    units = {v.name: v.unit for v in plant.variables}
    held = ", ".join(f"{name} {value:g} {units.get(name, '')}".strip() for name, value in phase.setpoints.items())
    return {"name": phase.text or phase.name, "setpoints": held, "ends": " or ".join(phase.ends_when)}


def _rows(buckets: Any, course: _Course) -> list[list[float | None]]:
    start_ms = (course.first.situation.batch_start or course.first.time).timestamp() * 1000
    return [[(b.t_ms - start_ms) / 3.6e6, b.low, b.mean, b.high] for b in buckets]


def _trends(history: History, course: _Course, plant: Plant, batch: str) -> list[Json]:
    shown = plant.having(Role.MANIPULATED, Role.MEASURED)
    names = [f"process.{v.name}" for v in shown] + [f"setpoint.{v.name}" for v in plant.having(Role.MANIPULATED)]
    found = history.trend(plant.name, batch, names, buckets=BUCKETS)
    return [
        {
            "label": v.text or v.name,
            "unit": v.unit,
            "values": _rows(found[f"process.{v.name}"], course),
            "setpoint": _rows(found.get(f"setpoint.{v.name}", ()), course),
        }
        for v in shown
    ]


def _estimates(history: History, course: _Course, plant: Plant, model: Model, batch: str) -> list[Json]:
    assays = history.assays(plant.name, batch)
    named = {a.variable for a in assays} | {v.name for v in plant.having(Role.ASSAYED)}
    shown = [s for s in model.states if s.name in named]
    names = [name for s in shown for name in (f"estimate.{s.name}", f"estimate.{s.name}_sd")]
    found = history.trend(plant.name, batch, names, buckets=BUCKETS)
    rows = []
    for state in shown:
        values = []
        for mean, sd in zip(found[f"estimate.{state.name}"], found[f"estimate.{state.name}_sd"], strict=True):
            if mean.mean is None or sd.mean is None:
                continue
            low, high = mean.mean - HALF_80 * sd.mean, mean.mean + HALF_80 * sd.mean
            values.append([_rows([mean], course)[0][0], max(low, 0.0) if state.positive else low, mean.mean, high])
        points = [(course.age_h(a.sampled_at), a.value) for a in assays if a.variable == state.name]
        rows.append({"label": state.name, "unit": state.unit, "values": values, "assays": points})
    return rows


def _insight(history: History, course: _Course, plant: str, batch: str) -> list[Json]:
    multipliers = course.last.insight.log_multipliers
    found = history.trend(
        plant, batch, [f"neurocore.{n}" for n in ("novelty", "stability", *multipliers)], buckets=BUCKETS
    )
    levels = [
        {"label": n, "unit": "0–1", "values": _rows(found[f"neurocore.{n}"], course), "limits": [0, 1.05]}
        for n in ("novelty", "stability")
    ]
    learned = [
        {"label": f"{n}, learned", "unit": "factor", "values": _rows(found[f"neurocore.{n}"], course)}
        for n in multipliers
    ]
    return levels + learned


def _assays(history: History, course: _Course, plant: Plant, batch: str) -> list[Json]:
    texts = {v.name: v.text or v.name for v in plant.variables}
    assays = history.assays(plant.name, batch)
    found = history.trend(plant.name, batch, [f"estimate.{n}" for n in {a.variable for a in assays}])
    rows = []
    for a in assays:
        at_ms = a.sampled_at.timestamp() * 1000
        near = [b for b in found[f"estimate.{a.variable}"] if b.mean is not None and b.t_ms <= at_ms + 1]
        rows.append(
            {
                "name": texts.get(a.variable, a.variable),
                "age_h": course.age_h(a.sampled_at),
                "reported_h": course.age_h(a.reported_at),
                "value": a.value,
                "unit": a.unit,
                "estimate": near[-1].mean if near else None,
            }
        )
    return rows


def _advised(past: Past, course: _Course, model: Model) -> Json:
    effect, unit = past.suggestion.effect, past.suggestion.effect.unit if past.suggestion.effect else ""
    seen = followed(past, course.last.estimate, model)
    predicted = (
        "–" if effect is None else f"{effect.gain:+.3g} {unit} ({effect.gain_low:+.3g} to {effect.gain_high:+.3g})"
    )
    actual = "–"
    if seen is not None:
        actual = f"{seen.actual:.4g} {unit}; foreseen {seen.predicted:.4g} with, {seen.without:.4g} without"
    # In auto a suggestion is taken in the turn that makes it, so it was never open.
    outcome = "in force by auto" if past.status == "refused" and past.suggestion.id in course.in_force else past.status
    answered = ", ".join(part for part in (past.by, past.given) if part)
    return {
        "age_h": course.age_h(past.suggestion.made_at),
        "id": past.suggestion.id,
        "outcome": outcome,
        "taken": outcome in TAKEN,
        "reason": past.suggestion.reason,
        "given": answered,
        "predicted": predicted,
        "actual": actual,
    }


def _alarm_figures(course: _Course) -> str:
    hours = max(course.age_h(course.last.time) - course.age_h(course.first.time), 1e-9)
    standing = [alarm.name for alarm in course.last.alarms.alarms if alarm.active]
    counts: dict[str, int] = {}
    for alarm in course.alarms:
        counts[alarm["name"]] = counts.get(alarm["name"], 0) + bool(alarm["bad"])
    often = sorted((n, name) for name, n in counts.items() if n)[::-1][:3]
    told = f"{course.announced} announced, {course.announced / hours:.2f} an hour"
    told += f"; most often {', '.join(f'{name} ({n})' for n, name in often)}" if often else ""
    return told + (f"; still standing: {', '.join(standing)}." if standing else "; none stands at the end.")


def _gaps(history: History, course: _Course, plant: str, batch: str) -> list[Json]:
    return [
        {
            "start_h": course.age_h(g.start),
            "end_h": course.age_h(g.end or course.last.time),
            "variable": g.variable or "all",
            "cause": str(g.cause),
            "text": g.text,
            "backfilled": g.backfilled,
        }
        for g in history.gaps(plant, batch)
    ]


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else value
