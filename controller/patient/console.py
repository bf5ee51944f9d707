"""The patient on the console, as a plant of its own: samples played through the same turn that serves a bioreactor.

Research use only. Advisory. Nothing is ever written.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from controller.edge.serve import serving
from controller.loop.mode_ladder import Ladder
from controller.loop.records import Decision, Insight, Intent, Mode, Situation
from controller.loop.turn import Memory, Parts, turn
from controller.neurocore.core import NeuroCore
from controller.patient import model as patient
from controller.patient.advice.case import Treatment
from controller.patient.data.channels import BY_NAME
from controller.patient.data.channels import EXTRAS as FURTHER
from controller.patient.data.samples import Sample
from controller.patient.pharmacology.pharmacokinetics import Level, from_levels
from controller.patient.scenario import GATES, PLANT, START, doses_of, neuro_core_of, parts_of, replayed, snapshot_of
from controller.patient.source import PatientSource
from controller.support.child_process import end
from twin.records import Estimate
from twin.signals import Assay, Quality, Reading, Role, Snapshot, Variable

SPEED = 10_800.0  # process seconds per second: a sample every two seconds
LEVEL = Variable("level", "ng/mL", 0.0, 100.0, Role.ASSAYED, "Drug concentration")
SPANS = {  # what is usual at rest and in daily life: the length of the bars (design)
    "heart_rate": (40.0, 160.0),
    "spo2": (88.0, 100.0),
    "temperature": (32.0, 42.0),
    "steps": (0.0, 5000.0),
    "heart_rate_variability": (0.0, 200.0),
    "phq9": (0.0, 27.0),
    "gad7": (0.0, 21.0),
}
SHORT = {"sleep": "Sleep, last 24 h", "dose_mg": "Dose"}  # the console's tables are narrow
AHEAD_H = 72.0  # of the forecast that the whole course shows
TEXTS = {
    "gut": "Drug not yet absorbed",
    "central": "Drug in the body",
    "peripheral": "Drug in the tissues",
    "stomach": "Drug in the stomach",
    "metabolite": "Active metabolite",
    "effect": "Benefit so far",
    "tolerance": "Tolerance so far",
    "stress_base": "Stress without drug",
    "sleep_base": "Sleep without drug",
    "mood_base": "Mood without drug",
    "mood_residual": "Mood, carried on",
    "log_clearance": "Clearance, log of ratio",
}


class _Unchanged:
    """A NeuroCore that has seen this sample already and says the same of it again."""

    def __init__(self, insight: Insight) -> None:
        self._insight = insight

    def learn(self, learned: object, snapshot: Snapshot, estimate: Estimate) -> tuple[Insight, object]:
        """Learn nothing twice."""
        return self._insight, learned


class PatientCourse:
    """One patient, turn by turn: what `scenario.decide` does at once, with room for answers between the samples."""

    def __init__(
        self,
        samples: Sequence[Sample],
        treatment: Treatment,
        core: NeuroCore,
        levels: Sequence[Level] = (),
    ) -> None:
        self._samples, self._treatment, self._core, self._levels = list(samples), treatment, core, list(levels)
        self._memory = Memory(Ladder(Mode.ADVISORY, "advice is all that a patient is served with"))
        self._situation = Situation(_course(treatment), "treatment", START + timedelta(days=365), {})
        self._parts: Parts = parts_of(treatment, core)
        self._decided: list[Decision] = []  # one a sample
        self._last: Decision | None = None
        self._used = 0
        own = [replace(v, text=SHORT.get(v.name, v.text)) for v in PLANT.variables]
        self.plant = replace(PLANT, variables=(*own, *_further(self._samples), LEVEL))
        self.model = patient.model(treatment.pk)
        self.start = START
        self.novelty_max = GATES.novelty_max
        self.length_h = (self._samples[-1].time_h if self._samples else 0.0) + AHEAD_H

    def advance(self) -> Decision | None:
        """The turn of the next sample; None when there is none any more."""
        k = len(self._decided)
        if k >= len(self._samples):
            return None
        sample = self._samples[k]
        self._personalise(k, sample.time_h)
        snapshot = snapshot_of(sample)
        readings = {**snapshot.readings, **_extra_readings(sample, snapshot.time)}
        self._last, self._memory = turn(
            self._memory, replace(snapshot, readings=readings), self._situation, self._parts
        )
        self._decided.append(self._last)
        return self._last

    def judge(self, intent: Intent) -> Decision:
        """A turn on the present sample: nothing is learned from it again, only the answer is judged."""
        if self._last is None:
            raise RuntimeError("nothing can be judged before the first sample")
        parts = replace(self._parts, core=_Unchanged(self._last.insight))
        asked = replace(self._situation, intents=(intent,))
        self._last, self._memory = turn(self._memory, self._last.snapshot, asked, parts)
        return self._last

    def shown(self, decision: Decision) -> Mapping[str, float]:
        """The concentration that the twin believes in."""
        return {"estimate.level": patient.concentration_ng_per_ml(decision.estimate, self._treatment.pk)}

    def assays(self, until: datetime) -> Sequence[Assay]:
        """The drug levels drawn by then."""
        drawn = [(START + timedelta(hours=level.time_h), level.ng_per_ml) for level in self._levels]
        return [Assay(LEVEL.name, value, LEVEL.unit, at, at) for at, value in drawn if at <= until]

    def _personalise(self, k: int, time_h: float) -> None:
        """At every new level the pharmacokinetics become this person's own."""
        known = [level for level in self._levels if level.time_h <= time_h]
        if len(known) <= self._used:
            return
        self._used = len(known)
        own = replace(self._treatment, pk=from_levels(self._treatment.pk, doses_of(self._samples[:k]), known))
        self._parts = parts_of(own, self._core)
        track = replayed(self._parts.engine, [d.snapshot for d in self._decided])
        self._memory = replace(self._memory, track=track)


def _course(treatment: Treatment) -> str:
    return f"{treatment.pk.drug}, {treatment.dose_mg:g} mg every {treatment.every / timedelta(hours=1):g} h"


def _further(samples: Sequence[Sample]) -> list[Variable]:
    """The channels of wearables and questionnaires that this patient has."""
    there = [BY_NAME[name] for name in FURTHER if any(name in s.extras for s in samples)]
    return [Variable(c.name, c.unit, *SPANS[c.name], Role.MEASURED, c.text) for c in there]


def _extra_readings(sample: Sample, time: datetime) -> dict[str, Reading]:
    """Only what was reported: a watch that was not worn is no fault of the plant."""
    return {name: Reading(value, BY_NAME[name].unit, time, Quality.GOOD) for name, value in sample.extras.items()}


async def serve_patient(
    samples: Sequence[Sample],
    treatment: Treatment,
    host: str = "127.0.0.1",
    port: int = 8420,
    speed: float = SPEED,
    backend: str = "reference",
    levels: Sequence[Level] = (),
    patient_id: str = "patient",
    text: str = "Simulated patient",
    stay: bool = True,
    ready: Callable[[PatientSource], None] | None = None,
) -> PatientSource:
    """Play the samples behind a gateway at `speed` process seconds per second, and serve it until cancelled.

    With `stay` false it ends with the last sample. `ready` hears of the source as soon as the gateway is up.
    """
    async with playing(samples, treatment, speed, backend, levels, patient_id, text) as (source, over):
        async with serving(source, host, port):
            if ready is not None:
                ready(source)
            try:
                await over
                if stay:
                    await asyncio.Event().wait()
            finally:
                source.close()
    return source


@contextlib.asynccontextmanager
async def playing(
    samples: Sequence[Sample],
    treatment: Treatment,
    speed: float = SPEED,
    backend: str = "reference",
    levels: Sequence[Level] = (),
    patient_id: str = "patient",
    text: str = "Simulated patient",
) -> AsyncIterator[tuple[PatientSource, asyncio.Task[None]]]:
    """A source whose samples are being played, and the task that ends with the last of them."""
    with neuro_core_of(backend, treatment.pk) as core:
        source = PatientSource(PatientCourse(samples, treatment, core, levels), patient_id, text, TEXTS)
        over = asyncio.create_task(source.play(6 * 3600.0 / speed))
        try:
            yield source, over
        finally:
            over.cancel()
            await asyncio.gather(over, return_exceptions=True)


@contextlib.contextmanager
def console_beside(gateway: str, host: str = "127.0.0.1", port: int = 8421) -> Iterator[subprocess.Popen[bytes]]:
    """The console as a process of its own, which ends with the block."""
    command = [sys.executable, "-m", "hmi.console", "--gateway", gateway, "--host", host, "--port", str(port)]
    child = subprocess.Popen(command, start_new_session=True)
    try:
        yield child
    finally:
        end(child)
