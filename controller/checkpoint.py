"""Checkpoint: what a turn hands to the next that its Decision does not show, so that one decision can be taken alone.

Belief and learning are not part of it: they follow from what was read, scan by scan, at little cost. A look ahead does
not, so a checkpoint is kept whenever there was one; from there on the turns are taken again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from controller.loop.input_checks import Clock
from controller.loop.mode_ladder import Ladder
from controller.loop.plausibility import Traces
from controller.loop.records import Decision
from controller.loop.shadow_benefit import Shadowed
from controller.loop.turn import LookAhead, Memory
from controller.pharmacoloop.plan_memory import KeptPlans, PlanMemory, kept, restored
from twin.records import Track


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Beside the Decision of the same turn, its Memory but for belief and learning."""

    ladder: Ladder
    traces: Traces
    clock: Clock
    shadowed: Shadowed | None
    looked_at: datetime | None  # when the last look ahead was made; None: there was none
    rejected: bool  # whether its suggestion was
    plans: KeptPlans | None


def checkpoint_of(memory: Memory) -> Checkpoint:
    """What is to be kept of a turn's memory."""
    outlook, plans = memory.outlook, memory.remembered
    return Checkpoint(
        ladder=memory.ladder,
        traces=memory.traces,
        clock=memory.clock,
        shadowed=memory.shadowed,
        looked_at=outlook.made_at if outlook else None,
        rejected=outlook.rejected if outlook else False,
        plans=kept(plans) if isinstance(plans, PlanMemory) else None,
    )


def memory_at(point: Checkpoint, decision: Decision, track: Track | None, learned: object) -> Memory:
    """The memory after `decision`, with the belief and the learning of then."""
    return Memory(
        ladder=point.ladder,
        track=track,
        outlook=_outlook(point, decision),
        standing=decision.command,
        batch=decision.batch,
        alarms=decision.alarms,
        ledger=decision.ledger,
        traces=point.traces,
        clock=point.clock,
        shadowed=point.shadowed,
        remembered=restored(point.plans) if point.plans else None,
        learned=learned,
    )


def _outlook(point: Checkpoint, decision: Decision) -> LookAhead | None:
    if point.looked_at is None or decision.baseline is None or decision.proposal is None or decision.verdict is None:
        return None
    return LookAhead(
        point.looked_at,
        decision.baseline,
        decision.proposal,
        decision.proposed,
        decision.verdict,
        decision.open,
        point.rejected,
    )
