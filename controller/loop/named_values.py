"""Named values that batches and alarms are judged by: every number and every condition of one turn."""

from __future__ import annotations

from collections.abc import Mapping

from controller.loop.alarms import Sight
from controller.loop.batch import volume_l
from controller.loop.batch_records import BatchRecord
from controller.loop.mode_ladder import Ladder
from controller.loop.records import Insight, Situation
from twin.records import Estimate, Forecast
from twin.signals import Plant, Snapshot


def numbers(estimate: Estimate, insight: Insight, situation: Situation) -> dict[str, float]:
    """Numbers by the name of their series: estimate.X, setpoint.X, neurocore.novelty, ..."""
    found = {f"estimate.{name}": value for name, value in zip(estimate.names, estimate.mean, strict=True)}
    found |= {f"setpoint.{name}": value for name, value in situation.setpoints.items()}
    found |= {"neurocore.novelty": insight.novelty, "neurocore.stability": insight.stability}
    return found


def sight_of(
    snapshot: Snapshot,
    situation: Situation,
    seen: Mapping[str, float],
    batch: BatchRecord | None,
    forecast: Forecast | None,
    plant: Plant,
) -> Sight:
    """What alarms see at this instant, with the conditions that the edge knows."""
    booked = volume_l(batch) if batch else None
    return Sight(
        time=snapshot.time,
        phases=(batch.phase if batch else "", situation.phase),
        readings=snapshot.readings,
        numbers={**seen, **({"batch.volume": booked} if booked is not None else {})},
        conditions=dict(situation.conditions),
        forecast=forecast,
        max_age_s={v.name: v.max_age_s for v in plant.variables},
    )


def conditions(
    situation: Situation, before: Ladder, now: Ladder, objections: tuple[str, ...], lease: tuple[str, ...]
) -> dict[str, str]:
    """What the loop itself has to say, by name, each as a sentence; only what holds."""
    unusual = next((o for o in objections if o.startswith("the readings are unusual")), "")
    misfit = next((o for o in objections if o.startswith("the twin does not fit")), "")
    lapsed = next((n for n in lease if "lease" in n or "dropped" in n), "")
    found = {
        "loop.fault": "; ".join(situation.faults),
        "loop.demoted": now.reason if now.reason.startswith("demoted") and now.reason != before.reason else "",
        "loop.lease": lapsed,
        "loop.novelty": unusual,
        "loop.misfit": misfit,
    }
    return {name: sentence for name, sentence in found.items() if sentence}
