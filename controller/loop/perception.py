"""Perception: what came in is checked, the belief is brought up to it, and NeuroCore learns from both."""

from __future__ import annotations

from dataclasses import dataclass, replace

from controller.loop.input_checks import Clock, checked, checked_situation, ticked
from controller.loop.manual_entries import entered
from controller.loop.memory import Memory
from controller.loop.mode_ladder import demoted
from controller.loop.parts import Parts
from controller.loop.plausibility import Finding
from controller.loop.records import Insight, Ruling, Situation
from twin.records import Estimate, Track
from twin.signals import Snapshot


@dataclass(frozen=True, slots=True)
class Perceived:
    """What is known at this instant, once it was checked, estimated and learned."""

    snapshot: Snapshot
    situation: Situation
    track: Track
    insight: Insight
    learned: object
    clock: Clock
    anew: bool  # the plant's clock goes on from another time: what was believed before is of no use
    entries: tuple[Ruling, ...]  # what people entered by hand
    notes: tuple[str, ...]

    @property
    def estimate(self) -> Estimate:
        """The belief now."""
        return self.track.now


def perceive(memory: Memory, snapshot: Snapshot, situation: Situation, parts: Parts) -> Perceived:
    """Check what came in, believe and learn. A clock that is not believed is a fault: then the turn stands still."""
    clock, why, anew = ticked(memory.clock, snapshot.time, parts.cadence.longest_gap)
    snapshot = checked(snapshot, clock.now or snapshot.time, parts.plant, parts.envelope.evidence)
    situation = checked_situation(situation, parts.plant, snapshot.time + parts.cadence.longest_ahead)
    notes: tuple[str, ...] = ()
    if why:
        situation, notes = replace(situation, faults=(*situation.faults, why)), (why,)
    elif anew:
        when = f"{snapshot.time:%Y-%m-%d %H:%M}"
        notes = (f"the plant's clock goes on from {when}: the twin begins anew, and setpoints are given back",)
    snapshot, entries = entered(snapshot, situation, parts.plant)
    track = parts.engine.assimilate(None if anew else memory.track, snapshot)
    insight, learned = parts.core.learn(memory.learned, snapshot, track.now)
    return Perceived(snapshot, situation, track, insight, learned, clock, anew, entries, notes)


def begun_anew(memory: Memory, now: Perceived) -> Memory:
    """The memory of before, without what is of another time where the plant's clock goes on from elsewhere."""
    if not now.anew:
        return memory
    return replace(memory, ladder=demoted(memory.ladder, now.notes[0]), track=None, outlook=None, standing=None)


def doubting(now: Perceived, findings: tuple[Finding, ...]) -> Perceived:
    """With the findings that block among the faults."""
    faults = dict.fromkeys((*now.situation.faults, *(f.sentence for f in findings if f.blocks)))
    return replace(now, situation=replace(now.situation, faults=tuple(faults)))
