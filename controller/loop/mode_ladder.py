"""Mode ladder OFF > SHADOW > ADVISORY > AUTO: people climb it, the loop itself only ever steps down.

| from, to  | off | shadow | advisory           | auto                                        |
|-----------|-----|--------|--------------------|---------------------------------------------|
| any       | yes | yes    | evidence, no fault | evidence, no fault, consistent, not unusual |

A step down needs no gate. AUTO falls to ADVISORY when its gates fail `patience` scans in a row. A plant that is
advisory only has no AUTO.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from controller.loop.records import Insight, Intent, Mode, Ruling
from twin.records import Estimate

HEIGHT = {Mode.OFF: 0, Mode.SHADOW: 1, Mode.ADVISORY: 2, Mode.AUTO: 3}
NIS_MEMORY = 0.9  # weight of the past in the smoothed innovation ratio: about ten scans (design)


@dataclass(frozen=True, slots=True)
class Gates:
    """What must hold for the loop to act by itself."""

    novelty_max: float  # NeuroCore's novelty, [0, 1]
    nis_ratio_max: float  # smoothed normalised innovation squared over its degrees of freedom; 1 when consistent
    patience: int  # scans in a row that a gate may fail before AUTO is given up


@dataclass(frozen=True, slots=True)
class Ladder:
    """Where the loop stands on the ladder, since why, and how long a gate has been failing."""

    mode: Mode
    reason: str
    nis_ratio: float = 1.0
    failing: int = 0


def watch(
    ladder: Ladder,
    estimate: Estimate,
    insight: Insight,
    obstacles: tuple[str, ...],
    gates: Gates,
) -> tuple[Ladder, tuple[str, ...]]:
    """The ladder after one scan, and what now stands against AUTO; demotes when that lasts too long.

    `obstacles` are sentences about evidence and faults: they count as well as the gates do.
    """
    ratio = ladder.nis_ratio
    if estimate.nis_dof:
        ratio = NIS_MEMORY * ratio + (1 - NIS_MEMORY) * estimate.nis / estimate.nis_dof
    objections = list(obstacles)
    if insight.novelty > gates.novelty_max:
        leading = max(insight.contributions, key=insight.contributions.__getitem__, default="no signal")
        objections.append(
            f"the readings are unusual: novelty {insight.novelty:.3f} above {gates.novelty_max:g}, most of it {leading}"
        )
    if ratio > gates.nis_ratio_max:
        objections.append(f"the twin does not fit: innovation ratio {ratio:.2f} above {gates.nis_ratio_max:g}")
    failing = ladder.failing + 1 if objections else 0
    seen = replace(ladder, nis_ratio=ratio, failing=failing)
    if failing >= gates.patience:
        seen = demoted(seen, objections[0])
    return seen, tuple(objections)


def demoted(ladder: Ladder, reason: str) -> Ladder:
    """AUTO falls to ADVISORY, with the reason; every other mode stays as it is."""
    if ladder.mode is not Mode.AUTO:
        return ladder
    return replace(ladder, mode=Mode.ADVISORY, reason=f"demoted from auto: {reason}")


def climb(
    ladder: Ladder,
    intent: Intent,
    obstacles: tuple[str, ...],
    objections: tuple[str, ...],
    advisory_only: bool,
) -> tuple[Ladder, Ruling]:
    """Grant or refuse one request for a mode. ADVISORY needs no obstacle, AUTO no objection at all."""
    wanted = intent.mode
    if wanted is None:
        return ladder, Ruling(intent, False, "the request names no mode")
    against: tuple[str, ...] = ()
    if HEIGHT[wanted] > HEIGHT[ladder.mode]:
        if wanted is Mode.AUTO:
            against = ("this plant is advisory only",) if advisory_only else objections
        elif wanted is Mode.ADVISORY:
            against = obstacles
    if against:
        return ladder, Ruling(intent, False, f"{wanted} is refused: {'; '.join(against)}")
    reason = f"{intent.by}: {intent.reason}" if intent.reason else f"asked by {intent.by}"
    return replace(ladder, mode=wanted, reason=reason, failing=0), Ruling(intent, True, f"the mode is {wanted}")
