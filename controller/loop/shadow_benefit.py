"""Shadow benefit: what following SHADOW's advice would have brought, from the same past belief, on the twin of today.

One plan holds the setpoints that were in force since then, the other those that the suggestions would have set. Both
are forecast to the end of the batch with the same ensemble, so that their difference is the effect of the advice.
It is the twin's opinion, and no better than the twin; the correction is what NeuroCore knows by now.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from controller.loop.records import Ledger, Verdict
from twin.records import Estimate, Forecast, Plan, Step

KEPT = 500  # steps of each plan that are remembered (design): a change of setpoints each half hour for ten days


@dataclass(frozen=True, slots=True)
class Shadowed:
    """Since when SHADOW has been giving advice, and what was, and what would have been, in force since then."""

    start: Estimate
    actual: tuple[Step, ...]
    advised: tuple[Step, ...]


def followed(before: Shadowed | None, estimate: Estimate, verdict: Verdict, hold: Plan) -> Shadowed | None:
    """The two plans after this look ahead: what is in force now, and what the admitted moves would have made of it.

    Advice that was admitted before stands until there is other advice about the same variable.
    """
    now = Step(estimate.time, dict(hold.steps[0].inputs))
    if before is None:
        if not verdict.admitted:
            return None
        before = Shadowed(estimate, (), ())
    advised = dict(before.advised[-1].inputs) if before.advised else dict(now.inputs)
    untouched = [name for name, value in now.inputs.items() if not _advised(before, name)]
    advised |= {name: now.inputs[name] for name in untouched}
    advised |= {move.variable: move.value for move in verdict.moves if verdict.admitted}
    then = Step(now.start, advised)
    return replace(
        before,
        actual=_grown(before.actual, now),
        advised=_grown(before.advised, then),
    )


def _advised(before: Shadowed, name: str) -> bool:
    """Whether the advice so far differs from what was done, for this variable."""
    if not before.advised or not before.actual:
        return False
    return before.advised[-1].inputs.get(name) != before.actual[-1].inputs.get(name)


def _grown(steps: tuple[Step, ...], step: Step) -> tuple[Step, ...]:
    if steps and dict(steps[-1].inputs) == dict(step.inputs):
        return steps
    return (*steps, step)[:KEPT]


def benefit(shadowed: Shadowed, hold: Plan, look: Callable[[Estimate, Plan], Forecast], ledger: Ledger) -> Ledger:
    """The ledger with the gain of the advice over what was done, at the end of the batch: median and 80 %."""
    done, advised = (look(shadowed.start, replace(hold, steps=s)) for s in (shadowed.actual, shadowed.advised))
    gains = np.subtract(advised.objective, done.objective)
    if not np.isfinite(gains).all():
        return ledger
    low, middle, high = (float(q) for q in np.quantile(gains, (0.1, 0.5, 0.9)))
    return replace(
        ledger, since=shadowed.start.time, gain=middle, gain_low=low, gain_high=high, gain_unit=done.objective_unit
    )
