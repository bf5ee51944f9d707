"""Who forecasts best: NeuroCore and its comparators over successive batches on one reactor, and a change of strain."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from controller.bench import streams
from controller.bench.ahead import AHEAD_H, RULES, Case, ahead
from controller.bench.pupils import LEARNERS, Law, NoLaw, Pupils, pupils
from controller.bench.streams import SCAN_H, Scan
from controller.bench.trial import Trial
from twin.engine import TwinEngine
from twin.records import Estimate

JUDGED_EVERY_H = 8.0
JUDGED_FROM_H = 60.0  # and from 4 h after the feed began: before, no learner was taught of production
CHANGED_AT = 5  # index of the first batch with the other strain
FORECASTS = ("zero", "persistence", "random_walk", *LEARNERS)


@dataclass(slots=True)
class Errors:
    """Squared errors by what was forecast how, and what came true, to normalise them by."""

    squares: dict[tuple[str, ...], list[float]] = field(default_factory=dict)
    truths: dict[str, list[float]] = field(default_factory=dict)

    def add(self, error: float, *key: str) -> None:
        """One error under this key."""
        self.squares.setdefault(key, []).append(error**2)


def reactor_run(
    trial: Trial, engine: TwinEngine, seed: int, batches: int, changed: bool, until_h: float | None = None
) -> Iterator[tuple[str, int, list[Errors]]]:
    """Successive batches on one reactor: (arm, batch, errors); arm "same", and "changed" from CHANGED_AT on.

    At last ("forgotten", CHANGED_AT - 1): the old strain's last batch, judged with what is known after the new one.
    """
    vessel = trial.stream.reactor(seed)
    arms: dict[str, tuple[Any, Pupils]] = {"same": (vessel, pupils(trial))}
    before: list[Scan] = []
    for b in range(batches):
        if changed and b == CHANGED_AT:
            arms["changed"] = (trial.stream.strain(vessel, seed + 250), arms["same"][1].fork())
        batch_seed = batch_seed_of(seed, b)
        script = trial.stream.script(batch_seed) if b % 2 else streams.RECIPE
        for arm, (strain, learners) in arms.items():
            scans = list(streams.batch(trial, engine, strain, batch_seed, script, until_h))
            yield arm, b, taught_batch(trial, scans, learners)
            if b == CHANGED_AT - 1:
                before = scans
    if changed and "changed" in arms:
        laws = arms["changed"][1].laws()
        yield "forgotten", CHANGED_AT - 1, [judge(trial, before, k, laws) for k in instants(trial, before)]


def batch_seed_of(reactor: int, batch: int) -> int:
    """The seed of a batch: within the half (0-499 or 500-999) that the reactor's seed is in."""
    return 500 * (reactor // 500) + (37 * reactor + batch) % 500


def taught_batch(trial: Trial, scans: Sequence[Scan], learners: Pupils) -> list[Errors]:
    """Learn through a batch and forecast on the way; the errors of each forecast."""
    due, errors = set(instants(trial, scans)), []
    for k, seen in enumerate(scans):
        learners.scan(seen)
        if k in due:
            errors.append(judge(trial, scans, k, learners.laws()))
    return errors


def instants(trial: Trial, scans: Sequence[Scan]) -> list[int]:
    """The scans at which forecasts are made."""
    every, far = round(JUDGED_EVERY_H / SCAN_H), round(AHEAD_H / SCAN_H)
    fed = next((s.hours for s in scans if s.estimate.inputs[trial.stream.begins] > 0.0), math.inf)
    return [k for k in range(0, len(scans) - far, every) if scans[k].hours >= max(JUDGED_FROM_H, fed + 4.0)]


def judge(trial: Trial, scans: Sequence[Scan], k: int, laws: Mapping[str, Law]) -> Errors:
    """The errors of every forecast made at scan k, of what is true 12 h later, and of the rates at the next scan."""
    errors, now, stream = Errors(), scans[k], trial.stream
    later = scans[k + round(AHEAD_H / SCAN_H)]
    nothing = NoLaw(len(trial.learned_at))
    cases = [Case("zero", "", nothing), Case("random_walk", "", nothing)]
    cases += [Case(name, rule, laws[name]) for name in LEARNERS for rule in RULES]
    states, logs = ahead(trial, scans, k, cases)
    for (name, rule, _), state, log in zip(cases, states, logs, strict=True):
        for quantity in stream.quantities:
            error = float(state[trial.state_at(quantity)]) - later.truth[quantity]
            errors.add(error, "ahead", name, rule, quantity)
        for rate in stream.judged:
            error = float(log[trial.multiplier_at(rate)]) - later.truth[rate]
            errors.add(error, "rate_ahead", name, rule, rate)
    for quantity in stream.quantities:
        errors.add(now.estimate[quantity] - later.truth[quantity], "ahead", "persistence", "", quantity)
    _next(trial, errors, scans[k].estimate, scans[k + 1], laws)
    for name in (*stream.quantities, *stream.judged):
        errors.truths[name] = [later.truth[name]]
    return errors


def _next(trial: Trial, errors: Errors, estimate: Estimate, following: Scan, laws: Mapping[str, Law]) -> None:
    """The rates at the next scan: by surface, and by holding the estimate."""
    judged, learned = trial.stream.judged, trial.process.learned
    state = np.array([[following.estimate[name] for name in trial.coded]])
    held = dict(zip(estimate.multiplier_names, estimate.log_multipliers, strict=True))
    said = {name: dict(zip(learned, law(state)[0].tolist(), strict=True)) for name, law in laws.items()}
    said |= {"zero": dict.fromkeys(judged, 0.0), "persistence": held, "random_walk": held}
    for name, rates_said in said.items():
        for rate in judged:
            errors.add(rates_said[rate] - following.truth[rate], "next", name, rate)
