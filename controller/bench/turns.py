"""A turn to record: a decision of the shape that the loop makes, with as many readings as asked for."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

from controller.loop.records import Abstention, Decision, Insight, Mode, Situation, Verdict
from twin.records import Correction, Estimate, Innovation, Population
from twin.signals import Quality, Reading, Snapshot

STATES = tuple(f"state_{i}" for i in range(4))
MULTIPLIERS = tuple(f"rate_{i}" for i in range(2))
INPUT = "tag_000"
CENTRES = 100


def decision(at: datetime, tags: int) -> Decision:
    """One turn at this time, with random numbers in it that depend on the time alone."""
    chance = random.Random(at.timestamp())
    readings = {f"tag_{i:03d}": Reading(round(chance.gauss(50, 9), 2), "%", at, Quality.GOOD) for i in range(tags)}
    return Decision(
        time=at,
        plant="R1",
        mode=Mode.ADVISORY,
        mode_reason="asked by an operator",
        snapshot=Snapshot(at, readings),
        situation=Situation("turns", "production", at + timedelta(hours=100), {INPUT: 0.042}),
        estimate=_estimate(at, chance),
        insight=_insight(chance),
        baseline=None,
        proposal=Abstention(at, "nothing better was found"),
        proposed=None,
        verdict=Verdict((), (), ("nothing is proposed",)),
        command=None,
        open=False,
    )


def _estimate(at: datetime, chance: random.Random) -> Estimate:
    size = len(STATES) + len(MULTIPLIERS)
    return Estimate(
        time=at,
        names=STATES,
        mean=tuple(chance.uniform(1, 30) for _ in STATES),
        multiplier_names=MULTIPLIERS,
        log_multipliers=tuple(chance.gauss(0, 0.1) for _ in MULTIPLIERS),
        covariance=tuple(tuple(chance.random() * (0.1 + (i == j)) for j in range(size)) for i in range(size)),
        inputs={INPUT: 0.042},
        innovations={INPUT: Innovation(0.4, 1.2)},
        nis=2.5,
        nis_dof=3,
    )


def _insight(chance: random.Random) -> Insight:
    centres = tuple((chance.random(), chance.random()) for _ in range(CENTRES))
    population = Population(STATES[:2], (0.0, 0.0), (40.0, 30.0), centres, 0.2)
    weights = tuple(tuple(float(chance.randrange(-127, 128)) for _ in range(CENTRES)) for _ in MULTIPLIERS)
    return Insight(
        correction=Correction(MULTIPLIERS, population, weights, 1 / 4096, (0.7, 0.7)),
        log_multipliers=dict.fromkeys(MULTIPLIERS, 0.05),
        novelty=chance.random(),
        contributions={INPUT: 1.0},
        stability=chance.random(),
        components={"calm": 0.9},
        learned=True,
        why_not="",
        backend="reference",
    )
