"""A course of treatment: one patient, turn by turn, through the same turn of the loop that serves a bioreactor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from controller.loop.mode_ladder import Ladder
from controller.loop.records import Decision, Insight, Intent, Mode, Situation
from controller.loop.turn import Memory, turn
from controller.neurocore.core import NeuroCore
from controller.patient import model as patient
from controller.patient.advice.case import Treatment
from controller.patient.data.samples import Sample
from controller.patient.parts import neuro_core_of, parts_of, replayed
from controller.patient.pharmacology.pharmacokinetics import Dose, Level, from_levels
from controller.patient.snapshots import START, snapshot_of
from twin.records import Estimate
from twin.signals import Snapshot


def decide(
    samples: Sequence[Sample], treatment: Treatment, backend: str, levels: Sequence[Level] = ()
) -> list[Decision]:
    """The decisions of all turns, in order; the loop is given each sample, and each drug level, when it is its time."""
    with neuro_core_of(backend, treatment.pk) as core:
        course = Course(samples, treatment, core, levels)
        return [decision for decision in iter(course.advance, None) if decision is not None]


class Course:
    """The samples of one patient, with room for answers between them.

    At every new drug level the pharmacokinetics become this person's own (Bayesian MAP from the levels so far), and
    the twin takes the samples so far in once more.
    """

    def __init__(
        self, samples: Sequence[Sample], treatment: Treatment, core: NeuroCore, levels: Sequence[Level] = ()
    ) -> None:
        self.samples, self.treatment, self.levels = tuple(samples), treatment, tuple(levels)
        self._core = core
        self._parts = parts_of(treatment, core)
        self._memory = Memory(Ladder(Mode.ADVISORY, "advice is all that a patient is served with"))
        self._situation = Situation(_name(treatment), "treatment", START + timedelta(days=365), {})
        self._decided: list[Decision] = []  # one a sample
        self._last: Decision | None = None
        self._used = 0

    def advance(self) -> Decision | None:
        """The turn of the next sample; None when there is none any more."""
        k = len(self._decided)
        if k >= len(self.samples):
            return None
        self._personalise(k)
        self._last, self._memory = turn(self._memory, snapshot_of(self.samples[k]), self._situation, self._parts)
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
        return {"estimate.level": patient.concentration_ng_per_ml(decision.estimate, self.treatment.pk)}

    def _personalise(self, k: int) -> None:
        """Take in the levels that were drawn by sample k."""
        known = [level for level in self.levels if level.time_h <= self.samples[k].time_h]
        if len(known) <= self._used:
            return
        self._used = len(known)
        own = replace(self.treatment, pk=from_levels(self.treatment.pk, doses_of(self.samples[:k]), known))
        self._parts = parts_of(own, self._core)
        track = replayed(self._parts.engine, [d.snapshot for d in self._decided])
        self._memory = replace(self._memory, track=track)


class _Unchanged:
    """A NeuroCore that has seen this sample already and says the same of it again."""

    def __init__(self, insight: Insight) -> None:
        self._insight = insight

    def learn(self, learned: object, snapshot: Snapshot, estimate: Estimate) -> tuple[Insight, object]:
        """Learn nothing twice."""
        return self._insight, learned


def doses_of(samples: Sequence[Sample]) -> list[Dose]:
    """The doses that were swallowed."""
    return [Dose(s.time_h, s.dose_mg) for s in samples if s.dose_mg > 0]


def _name(treatment: Treatment) -> str:
    return f"{treatment.pk.drug}, {treatment.regimen}"
